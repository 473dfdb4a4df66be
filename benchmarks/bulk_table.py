"""What `bulk.py` and `serving.py` measured, as Markdown, and what a billion photos would take."""

# Assumptions of the calculation, which the page states.
PHOTOS = 1_000_000_000
CORE_HOUR, GPU_HOUR = 0.05, 2.00  # dollars, for rent by the hour without a discount
CORES, HOURS = 64, 24  # of a machine; in which all is to be done
GPU_CROPS = 5000  # a second, of one GPU


def bulk_table(measured):
    """Photos per second of each way, and what was checked."""
    first = measured["one process, one core"]["photos_per_second"]
    check, machine = measured["check"], measured["machine"]
    yield f"{machine['processor']}, {machine['cores']} cores, preset {measured['preset']}:"
    yield ""
    yield "| what runs | photos per second | over one core | memory in the first and last quarter |"
    yield "|---|---|---|---|"
    for name, run in measured.items():
        if isinstance(run, dict) and "photos_per_second" in run and name != "second run":
            memory = [mb for mb in run["megabytes_every_10_s"] if mb]  # 0: it has ended
            part = max(len(memory) // 4, 1)
            first_mb, last_mb = (sum(m) / part for m in (memory[1:][:part], memory[-part:]))
            speed = run["photos_per_second"]
            yield (
                f"| {name} | {speed:.1f} | {speed / first:.2f} | {first_mb:,.0f} MB, "
                f"{last_mb:,.0f} MB |"
            )
    yield ""
    yield (
        f"Of the {check['photos'] + check['failed']:,} photos of the run on Ray, in which a worker "
        f"was killed, {check['lost']} were lost, {check['doubled']} doubled and {check['failed']} "
        f"failed; the landmarks of {check['faces']:,} faces differ from those of one process by "
        f"{check['largest_difference_pixels']:g} pixels at most. A second run took "
        f"{measured['second run']['seconds']:.0f} s to find nothing to do."
    )


def stages_table(measured):
    """Milliseconds of a photo, stage by stage."""
    stages = measured["stages"]
    yield "| stage | ms per photo, one core | share |"
    yield "|---|---|---|"
    for name in ("decode", "detect", "crop", "landmarks"):
        yield f"| {name} | {stages[name]:.1f} | {100 * stages[name] / of_photo(stages):.0f} % |"
    yield ""
    yield (
        f"A photo has {stages['megapixels']:.1f} megapixels, {measured['bytes'] / 1000:.0f} kB and "
        f"{stages['crops']:.1f} crops on average: of faces, and of what the detector is not sure "
        "of and the landmarks decide."
    )


def of_photo(stages):
    """Milliseconds of one core for a photo."""
    return sum(stages[name] for name in ("decode", "detect", "crop", "landmarks"))


def billion_table(measured):
    """Machines, hours and money for a billion photos."""
    stages, check = measured["stages"], measured["check"]
    one_core = measured["one process, one core"]["photos_per_second"]
    cpu = PHOTOS / one_core / 3600
    on_cpu = of_photo(stages) - stages["landmarks"]
    # The same overhead as measured: of the command over its stages.
    overhead = 1000 / one_core / of_photo(stages)
    before = PHOTOS * on_cpu * overhead / 1000 / 3600
    gpu = PHOTOS * stages["crops"] / GPU_CROPS / 3600
    with_gpu = before * CORE_HOUR + gpu * GPU_HOUR
    yield (
        f"| landmarks on | core hours | GPU hours | {CORES}-core machines for {HOURS} hours | "
        "dollars per million photos |"
    )
    yield "|---|---|---|---|---|"
    for name, cores, gpus, dollars in (
        ("CPUs", cpu, 0, cpu * CORE_HOUR),
        ("GPUs", before, gpu, with_gpu),
    ):
        machines = cores / CORES / HOURS
        yield (
            f"| {name} | {cores:,.0f} | {gpus:,.0f} | {machines:.0f} | "
            f"{dollars / PHOTOS * 1e6:.2f} |"
        )
    yield ""
    fed = GPU_CROPS / stages["crops"] * on_cpu * overhead / 1000
    photos = PHOTOS / HOURS / 3600
    yield (
        f"One GPU of {GPU_CROPS:,} crops per second needs {fed:.0f} cores that decode, detect and "
        f"crop for it. To be done in {HOURS} hours, the storage must give {photos:,.0f} photos or "
        f"{photos * measured['bytes'] / 1e9:.1f} GB per second, and the results are "
        f"{PHOTOS * check['faces'] / check['photos'] * check['bytes_per_face'] / 1e12:.1f} TB."
    )


def serving_table(measured):
    """Latencies by the number of clients, and the overload."""
    yield "| clients at once | p50 | p99 | requests per second |"
    yield "|---|---|---|---|"
    for clients, times in measured["clients"].items():
        yield (
            f"| {clients} | {times['p50_ms']:.0f} ms | {times['p99_ms']:.0f} ms | "
            f"{times['requests_per_second']:.1f} |"
        )
    over = measured["overload"]
    yield ""
    yield (
        f"Of {over['requests']} requests at the same moment, {over['answered']} were answered with "
        f"the right faces, {over['refused_503']} with 503, and none was lost."
    )
