"""Batches of faces whose landmarks have different orders, labels by groups."""

import numpy as np

from keras_lotr.datasets.epoch_batches import EpochBatches


class MixtureBatches(EpochBatches):
    """Batches ((crops uint8, group int32), points_crop, weights) for `LOTRMixture.by_group`.

    points_crop is {name of a group: (B, N, 2) float32}, NaN where a landmark has no label, as all
    landmarks of the faces of other groups; weights is {name: (B, N) float32}, 0 there.

    Args:
        faces: `LandmarkBatches`, whose lists of samples belong to the groups.
        group_of_list: for each list, the number of its group.
        sizes: {name of a group: its number of landmarks}.
        **kwargs: of `EpochBatches`, such as `workers`.
    """

    def __init__(self, faces, group_of_list, sizes, **kwargs):
        self.faces, self.sizes, self.batch_size = faces, sizes, faces.batch_size
        self.group_of_list = np.asarray(group_of_list, np.int32)
        super().__init__(epoch=faces.epoch, **kwargs)

    def __len__(self):
        return len(self.faces)

    def batch(self, index):
        crops, faces, lists = self.faces.faces(index)
        group = self.group_of_list[lists]
        points, weights = {}, {}
        for number, (name, size) in enumerate(self.sizes.items()):
            rows = np.full((len(crops), size, 3), [np.nan, np.nan, 0], np.float32)
            for i in np.flatnonzero(group == number):
                rows[i] = faces[i]
            points[name], weights[name] = rows[..., :2], rows[..., 2]
        return (crops, group), points, weights

    def start(self, epoch):
        """Draw the order of an epoch."""
        super().start(epoch)
        self.faces.start(epoch)
