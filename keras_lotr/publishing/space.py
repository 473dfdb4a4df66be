"""Publishing the demo as a Hugging Face Space, with a server (Gradio) or without (static)."""

from pathlib import Path

from keras_lotr.presets.hub import Handle
from keras_lotr.publishing.upload import upload

CARD = "README.md"
BUILT = "dist"  # of a static page, as `npm run build` leaves it


def publish_space(folder, handle, private=None, token=None):
    """Upload a demo as a Space, which then holds exactly its files.

    Args:
        folder: with a README.md that says `sdk: gradio` or `sdk: static`, see `space_files`.
        handle: "hf://org/name".
        private: of a new Space; None: as the account's settings say.
        token: access token; None takes that of HF_TOKEN or `hf auth login`.

    Returns:
        The handle of exactly this version, "hf://org/name@commit".

    Raises:
        FileNotFoundError, ValueError: the folder is no Space, or not built.
        OSError: the Hub does not allow it or cannot be reached.
    """
    sdk, files = space_files(folder)
    handle = Handle.parse(handle)
    settings = {"kind": "space", "space_sdk": sdk}
    message = "Upload the demo with keras-lotr"
    return str(upload(handle, files, ["*"], message, private, token=token, **settings))


def space_files(folder):
    """What of a folder belongs to its Space.

    Args:
        folder: for `sdk: gradio` README.md, requirements.txt and the app that README.md names; for
            `sdk: static` README.md and a built page in dist/.

    Returns:
        sdk, {filename in the Space: path}.

    Raises:
        FileNotFoundError, ValueError: one of them is missing, or another sdk.

    Example:

    >>> sdk, files = space_files("demo")
    >>> sdk, sorted(files)
    ('gradio', ['README.md', 'app.py', 'requirements.txt'])
    """
    from huggingface_hub import SpaceCard

    folder = Path(folder)
    if not (folder / CARD).is_file():
        raise FileNotFoundError(
            f"Expected the folder of a Space, with a {CARD}. Received: {folder}"
        )
    card = SpaceCard.load(folder / CARD).data
    if card.sdk == "gradio":
        files = {name: folder / name for name in (CARD, "requirements.txt", card.app_file)}
    elif card.sdk == "static":
        page = folder / BUILT
        files = {p.relative_to(page).as_posix(): p for p in page.rglob("*") if p.is_file()}
        files[CARD] = folder / CARD
        files.setdefault("index.html", page / "index.html")
    else:
        raise ValueError(f"Expected `sdk: gradio` or `sdk: static` in {folder / CARD}.")
    for path in files.values():
        if not path.is_file():
            built = (
                " Build the page first: npm ci && npm run build." if card.sdk == "static" else ""
            )
            raise FileNotFoundError(f"There is no {path}.{built}")
    return card.sdk, files
