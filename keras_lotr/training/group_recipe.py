"""What a recipe says of one group of faces in a mixture: data, landmarks, share and weights."""

import math
from dataclasses import MISSING, dataclass, field, fields

from keras_lotr.schemes import get_scheme, named_scheme


@dataclass(frozen=True)
class GroupRecipe:
    """A group of faces whose landmarks have one order and one definition.

    Attributes:
        name: of the group, and of the preset that is written for it.
        scheme: landmark scheme. Faces whose landmarks are defined in another way (rendered ones)
            should be a group of their own, even if the scheme is the same.
        data: names of the data sets: those of their folders, or NAME of `--data NAME=FOLDER`.
        only: sets to take, {name of a data set: list of sets}; all of those that are not named.
        val_only: likewise, for validation; None: as `only`.
        share: how much of the drawn faces are of this group, relative to the other groups. Several
            data sets of a group share it equally, or {name of each data set: its share}.
        weight: of a face of this group in the loss.
        val_weight: of the group's NME in the mean that decides which weights are the best; 0: the
            group is measured, and decides nothing.
        normalizer: what its NME is divided by, see `landmark_errors`; None: the scheme's own.
        tables: a preset whose landmarks these start as; None: what the training starts from.

    Example:

    >>> GroupRecipe("wflw98", "wflw98", ["hard"], only={"hard": ["wider"]}).share
    1.0
    """

    name: str
    scheme: str
    data: list
    only: dict = field(default_factory=dict)
    val_only: dict | None = None
    share: float | dict = 1.0
    weight: float = 1.0
    val_weight: float = 1.0
    normalizer: str | None = None
    tables: str | None = None

    @classmethod
    def from_dict(cls, entry):
        """From an entry of a recipe's `mixture`.

        Raises:
            ValueError: unknown or missing keys, or values that cannot be.
        """
        if not isinstance(entry, dict):
            raise ValueError(f"Expected a group of a mixture as an object. Received: {entry!r}")
        known = [f.name for f in fields(cls)]
        needed = [f.name for f in fields(cls) if (f.default, f.default_factory) == (MISSING,) * 2]
        unknown = [key for key in entry if key not in known]
        missing = [key for key in needed if key not in entry]
        if unknown or missing:
            raise ValueError(
                f"Expected the keys {needed} in a group of a mixture, and of {known} any other. "
                f"Received: unknown {unknown}, missing {missing}"
            )
        return cls(**entry)

    def __post_init__(self):
        object.__setattr__(self, "scheme", named_scheme(self.scheme))
        get_scheme(self.scheme).check_normalizer(self.normalizer)
        name_is_a_folder = isinstance(self.name, str) and self.name.strip(".")
        if not name_is_a_folder or set(self.name) & set('/\\:*?"<>|'):
            raise ValueError(
                f"Expected a name of a group that can be a folder's. Received: {self.name!r}"
            )
        if not is_list_of_names(self.data) or not self.data:
            raise ValueError(
                f"Expected a list of names of data sets in group {self.name}. "
                f"Received: {self.data!r}"
            )
        for key in ("only", "val_only"):
            self._check_sets(key, getattr(self, key) or {})
        shares = self.share
        if isinstance(shares, dict):
            if set(shares) != set(self.data):
                raise ValueError(
                    f"Expected a share of each of the data sets {self.data} in group {self.name}. "
                    f"Received: {shares}"
                )
            shares = shares.values()
        else:
            shares = [shares]
        for share in shares:
            self._check_number("share", share)
        self._check_number("weight", self.weight)
        self._check_number("val_weight", self.val_weight, zero_is_fine=True)

    def _check_number(self, key, value, zero_is_fine=False):
        number = isinstance(value, int | float) and math.isfinite(value)
        if not number or value < 0 or (value == 0 and not zero_is_fine):
            above = "of at least 0" if zero_is_fine else "above 0"
            raise ValueError(
                f"Expected a finite {key} {above} in group {self.name}. Received: {value!r}"
            )

    def _check_sets(self, key, sets):
        if not isinstance(sets, dict) or not all(map(is_list_of_names, sets.values())):
            raise ValueError(
                f"Expected {key} of group {self.name} as lists of sets by names of data sets. "
                f"Received: {sets!r}"
            )
        strange = [name for name in sets if name not in self.data]
        if strange:
            raise ValueError(
                f"Expected {key} of group {self.name} to name its data sets {self.data}. "
                f"Received: {strange}"
            )

    def shares_of(self, names):
        """How much of the drawn faces are of each of the group's data sets that has any."""
        if isinstance(self.share, dict):
            return [self.share[name] for name in names]
        return [self.share / len(names) for _ in names]

    def sets_of(self, name, split):
        """The sets to take of a data set for a split; None: all."""
        sets = self.only if split == "train" or self.val_only is None else self.val_only
        return sets.get(name)


def is_list_of_names(value):
    """Whether it is a list of texts."""
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
