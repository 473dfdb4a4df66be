"""Batches of faces whose landmarks have different orders, padded to one shape."""

import keras
import numpy as np


class MixtureBatches(keras.utils.PyDataset):
    """Batches ((crops uint8, group int32), points_crop, weights) for `LOTRMixture.fit`.

    points_crop is (B, N_max, 2) float32, NaN where a landmark has no label and behind a face's
    landmarks, and weights is (B, N_max) float32, 0 there. Groups count the same however many
    landmarks they have: the mean of a face's weights over N_max is the group's weight if all of
    its landmarks are labelled and sure.

    Args:
        faces: `LandmarkBatches`, whose lists of samples belong to the groups.
        group_of_list: for each list, the number of its group.
        sizes: number of landmarks of each group.
        weights: of each group in the loss.
        **kwargs: of `keras.utils.PyDataset`, such as `workers`.
    """

    def __init__(self, faces, group_of_list, sizes, weights, **kwargs):
        super().__init__(**kwargs)
        self.faces, self.sizes = faces, sizes
        self.group_of_list = np.asarray(group_of_list, np.int32)
        self.weight_of_landmark = np.array(weights, np.float32) * max(sizes) / sizes

    def __len__(self):
        return len(self.faces)

    def __getitem__(self, index):
        crops, points, lists = self.faces.faces(index)
        group = self.group_of_list[lists]
        padded = np.full((len(crops), max(self.sizes), 2), np.nan, np.float32)
        weights = np.zeros(padded.shape[:2], np.float32)
        for i, of_face in enumerate(points):
            padded[i, : len(of_face)] = of_face[:, :2]
            weights[i, : len(of_face)] = of_face[:, 2] * self.weight_of_landmark[group[i]]
        return (crops, group), padded, weights

    def on_epoch_end(self):
        self.faces.on_epoch_end()

    def start(self, epoch):
        """Draw the order of an epoch."""
        self.faces.start(epoch)
