"""Uploading to the Hugging Face Hub: one commit, after which it holds exactly these files."""

from fnmatch import fnmatch

from keras_lotr.presets.hub import Handle, explain, http_error


def upload(handle, files, ours, message, private=None, tag=None, create_pr=False, token=None,
           kind="model", **space):  # fmt: skip
    """Commit files to a repository, which is created if it is not there; nothing new, no commit.

    Args:
        handle: `Handle`; its revision is the branch to commit to, which is created likewise.
        files: {filename in the repository: bytes or local path}.
        ours: patterns of filenames; files of the repository that match one, and are not among
            `files`, are left over from an earlier upload and deleted.
        message: of the commit.
        private: of a new repository; None: as the account's settings say.
        tag: name for the commit.
        create_pr: propose the commit as a pull request.
        token: access token; None takes that of `HF_TOKEN` or `hf auth login`.
        kind: "model" or "space".
        **space: `space_sdk` and the like for `HfApi.create_repo`.

    Returns:
        `Handle` of the commit; with `create_pr` that of the pull request's branch.

    Raises:
        ValueError: the tag is in use for another commit, or the Hub refuses the card.
        OSError: the Hub does not allow it or cannot be reached.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token, library_name="keras-lotr")
    repo = {"repo_id": handle.repo, "repo_type": kind}
    try:
        api.create_repo(**repo, private=private, exist_ok=True, **space)
        if handle.revision:
            api.create_branch(**repo, branch=handle.revision, exist_ok=True)
        tagged = _tagged(api, repo, tag) if tag else None
        if tagged and tagged != api.repo_info(**repo, revision=handle.revision).sha:
            raise ValueError(f"{_in_use(repo, tag, tagged)}. Nothing was uploaded.")
        there = api.list_repo_files(**repo, revision=handle.revision)
        commit = api.create_commit(
            **repo,
            operations=_operations(files, [name for name in there if _matches(name, ours)]),
            commit_message=message,
            revision=handle.revision,
            create_pr=create_pr,
        )
        if tag:
            _tag(api, repo, tag, tagged, commit.oid)
    except (http_error(), OSError, RuntimeError) as error:
        # A RuntimeError carries what went wrong with one of the files as its cause.
        cause = error.__cause__ if isinstance(error, RuntimeError) else error
        if cause is None:
            raise
        raise explain(cause, handle, "upload to") from None
    return Handle(handle.repo, commit.pr_revision if create_pr else commit.oid)


def listing(files):
    """How many files {filename: bytes or path} there are, and a line for each with its size."""
    sizes = {
        name: len(content) if isinstance(content, bytes) else content.stat().st_size
        for name, content in files.items()
    }
    lines = [f"  {name}  {size:,} bytes" for name, size in sorted(sizes.items())]
    return "\n".join([f"{len(sizes)} files", *lines])


def _operations(files, there):
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    added = [CommitOperationAdd(name, content) for name, content in sorted(files.items())]
    return added + [CommitOperationDelete(name) for name in there if name not in files]


def _matches(name, patterns):
    return any(fnmatch(name, pattern) for pattern in patterns)


def _tag(api, repo, tag, tagged, commit):
    if tagged not in (None, commit):
        raise ValueError(
            f"{_in_use(repo, tag, tagged)}, with other files. They were uploaded as {commit[:8]}, "
            "untagged."
        )
    if tagged is None:
        api.create_tag(**repo, tag=tag, revision=commit)


def _tagged(api, repo, tag):
    """The commit of a tag, or None."""
    refs = api.list_repo_refs(**repo)
    return next((ref.target_commit for ref in refs.tags if ref.name == tag), None)


def _in_use(repo, tag, commit):
    return f"Expected a new tag: {tag!r} of hf://{repo['repo_id']} is the commit {commit[:8]}"
