"""The results of `evaluate` as a person reads them in a terminal."""

from keras_lotr.datasets import name_some
from keras_lotr.schemes import get_scheme


def as_text(results):
    """The results as a table for the terminal."""
    flip = "with" if results["flip"] else "without"
    lines = [
        f"{results['preset']} on {results['data']} ({results['split']}, {results['faces']} faces, "
        f"{results['points']} landmarks), {get_scheme(results['scheme'])}, normalised by "
        f"{results['normalizer']}, {flip} flip averaging",
        *_remarks(results),
        f"{'':14}{'faces':>7}{'NME %':>8}{'+-':>7}{'FR@8':>8}{'FR@10':>8}{'AUC@8':>8}{'AUC@10':>8}",
    ]
    for name, part in {"all": results, **results["subsets"]}.items():
        rates, areas = part["failure_rate"], part["auc"]
        error = "" if part["nme_error"] is None else f"{part['nme_error']:.2f}"
        lines.append(
            f"{name:14}{part['faces']:7}{part['nme']:8.2f}{error:>7}{rates['8']:8.2f}{rates['10']:8.2f}"
            f"{areas['8']:8.2f}{areas['10']:8.2f}"
        )
    regions = ", ".join(f"{name} {value:.2f}" for name, value in results["regions"].items())
    halves = " and ".join(f"{nme:.2f}" for nme in results["nme_of_halves"] if nme is not None)
    slopes = " ".join(f"{slope:.2f}" for slope in results["shape_modes"])
    slopes = slopes or "none, for lack of two faces with all landmarks"
    lines += [f"NME % of two halves: {halves}", f"NME % by region: {regions}"]
    lines += [f"Slopes of shape modes: {slopes}"]
    return "\n".join([*lines, *_openness(results)])


def _openness(results):
    """A line on the openness of eyes and of mouths."""
    for name, found in results["openness"].items():
        closed = f"{found['closed']} closed"
        if found["closed"]:
            closed += f", found {found['closed_found']:.2f} open"
        yield f"Openness of {name}: slope of found over true {found['slope']:.2f}; {closed}"


def _remarks(results):
    """Lines on what was measured, where it is not all landmarks of all faces."""
    scheme = get_scheme(results["scheme"])
    missing = {i for i, error in enumerate(results["landmarks"]) if error is None}
    if results["converted_from"]:
        yield f"The labels are those of {results['converted_from']}, read as {scheme.name}."
    if missing:
        counted = ", ".join(
            f"{name} {len(set(landmarks) - missing)} of {len(landmarks)}"
            for name, landmarks in scheme.regions.items()
        )
        yield f"Landmarks that count: {counted}."
    if results["boxes"] == "detector":
        yield (
            "Faces are cropped by the boxes of the built-in detector, "
            f"{results['not_detected']} that it does not find by ground truth."
        )
    if names := results["without_normalizer"]:
        yield (
            f"{len(names)} faces have no normaliser {results['normalizer']} and do not count: "
            f"{name_some(names)}."
        )
