"""From an image to landmarks: detector, landmarker, results. Keras is imported late."""
