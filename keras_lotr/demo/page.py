"""The page of the demo: what is where, and what calls what."""

from pathlib import Path

import gradio as gr

from keras_lotr.demo.camera import Camera
from keras_lotr.demo.downloads import handed_out
from keras_lotr.demo.service import (
    ATTENTION,
    DRAWN,
    MAX_BYTES,
    MAX_FRAMES,
    Service,
    Settings,
)
from keras_lotr.demo.uploads import LimitBody, picture_input, told

_TITLE = "Face landmarks"
_INTRO = """# Face landmarks
Where eyes, brows, nose, mouth and chin are, found by [LOTR](https://arxiv.org/abs/2109.10057), a \
CNN and a small Transformer. Images are deleted after five minutes."""
_COLUMNS = ["face", "score", "x", "y", "width", "height", "quality", "yaw", "pitch", "roll"]
# Results as files, made in the browser: the server writes none.
_DOWNLOAD = """(text) => {
  if (!text) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([typeof text === "string" ? text :
    JSON.stringify(text) + "\\n"], {type: "%s"}));
  link.download = "%s";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}"""
_NOTHING = None, "", None, None, "", None  # of a picture: the outputs of `_image_tab`
MAX_CAMERAS, _CAMERA_SECONDS = 4, 120
_FILES_KEPT = (30, 300)  # seconds: how often old files are looked for, and how old they may get


def build(preset="lotr_m_68", engine="keras"):
    """The page as `gradio.Blocks`; the models are loaded and have run once.

    Args:
        preset: that is chosen first: a name, a folder or "hf://org/name[@revision]".
        engine: "keras" or "onnxruntime".

    Raises:
        ValueError: there is no such preset, or it has no weights, or none for this engine.
        OSError: it cannot be had from the Hub.
    """
    service = Service(engine)
    choices = service.presets(preset)
    service.warm_up(Settings(preset))
    with gr.Blocks(title=_TITLE, analytics_enabled=False, delete_cache=_FILES_KEPT) as page:
        gr.Markdown(_INTRO)
        with gr.Accordion("Settings: preset, what is drawn, threshold", open=False):
            controls = _controls(service, choices, preset)
        with gr.Tab("Image"):
            _image_tab(service, controls)
        with gr.Tab("Webcam"):
            _webcam_tab(service, controls)
        with gr.Tab("Video"):
            _video_tab(service, controls)
    return page.queue(max_size=100, default_concurrency_limit=2)


def example_pictures():
    """Paths of the bundled images: inside an installed wheel, or in the checkout."""
    here = Path(__file__).parent
    installed = here / "examples"
    folder = installed if installed.is_dir() else here.parents[1] / "examples"
    return sorted(folder.glob("*.jpg"), key=lambda path: (path.stem != "group", path.stem))


def launch(page, host="127.0.0.1", port=None, **options):
    """Serve the page: uploads are limited, nothing is sent elsewhere."""
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    return page.launch(
        server_name=host,
        server_port=port,
        share=False,
        max_file_size=MAX_BYTES,
        allowed_paths=sorted({str(path.parent) for path in example_pictures()}),
        theme=gr.themes.Soft(primary_hue="teal", **fonts),
        footer_links=["api"],
        app_kwargs={"middleware": [(LimitBody, (), {"limit": 2 * MAX_BYTES})]},
        ssr_mode=False,
        quiet=True,
        **options,
    )


def _controls(service, choices, preset):
    """The controls, in the order of the fields of `Settings`."""
    overlays = [*DRAWN, ATTENTION] if service.engine == "keras" else list(DRAWN)
    with gr.Row():
        chosen = gr.Dropdown([(said, name) for name, said in choices.items()], value=preset,
                             label="Preset", scale=2)  # fmt: skip
        drawn = gr.CheckboxGroup(overlays, value=["points", "contours"], label="Draw", scale=2)
    with gr.Row():
        landmark = gr.Number(0, label="Landmark whose attention is drawn", minimum=0, precision=0)
        threshold = gr.Slider(0.1, 0.95, service.threshold, step=0.05, label="Detector's threshold")
        flip = gr.Checkbox(label="Average with the mirrored face", info="Takes twice the time")
    for control in (chosen, drawn, landmark, threshold):
        told(control)
    return [chosen, drawn, landmark, threshold, flip]


def _image_tab(service, controls):
    with gr.Row():
        picture = picture_input(
            label="Picture", sources=["upload", "clipboard", "webcam"], height=420
        )
        annotated = gr.Image(label="Landmarks", height=420, format="webp", interactive=False,
                             elem_id="landmarks", buttons=["download", "fullscreen"])  # fmt: skip
        near = gr.Gallery(label="Faces, enlarged", height=420, columns=2, format="webp",
                          interactive=False, elem_id="close_ups")  # fmt: skip
    message = gr.Markdown("Choose, drop, paste or take an image, or click an example.")
    examples = [str(path) for path in example_pictures()]
    shown = gr.Dataset(components=["image"], samples=[[path] for path in examples],
                       type="index", label="Examples")  # fmt: skip
    with gr.Row():
        as_json = gr.Button("Download JSON", elem_id="download_json")
        as_csv = gr.Button("Download CSV", elem_id="download_csv")
    faces = gr.Dataframe(headers=_COLUMNS, label="Faces", interactive=False)
    found = gr.JSON(label="JSON", max_height=240)
    table = gr.Textbox(visible="hidden")

    def annotate(picture, preset, draw, landmark, threshold, flip):
        if picture is None:
            return _NOTHING
        settings = _settings(preset, draw, landmark, threshold, flip)
        answer = _said(service.annotate, picture, settings)
        found = answer.rows, [answer.photo], answer.csv
        faces = [(handed_out(near, image), number) for image, number in answer.close_ups]
        return handed_out(annotated, answer.picture), answer.message, *found, faces

    answer = [annotated, message, faces, found, table, near]
    asked = gr.on(
        [picture.change, *(control.change for control in controls)],
        annotate,
        [picture, *controls],
        answer,
        api_name="annotate",
        concurrency_id="models",
        trigger_mode="always_last",
    )
    # What was found in another picture is not to be taken for what is in this one.
    asked.failure(lambda: _NOTHING, None, answer, api_visibility="private")
    shown.click(lambda index: examples[index], shown, picture, api_visibility="private")
    as_json.click(None, found, js=_DOWNLOAD % ("application/json", "landmarks.json"))
    as_csv.click(None, table, js=_DOWNLOAD % ("text/csv", "landmarks.csv"))


def _webcam_tab(service, controls):
    with gr.Row():
        frame = picture_input(label="Camera", sources=["webcam"], streaming=True, height=420)
        annotated = gr.Image(label="Landmarks", height=420, format="jpeg", interactive=False,
                             buttons=["fullscreen"])  # fmt: skip
    message = gr.Markdown("Click the camera, then *Record*. Frames are deleted after five minutes.")
    followed = gr.State(time_to_live=2 * _CAMERA_SECONDS)  # the visitor's own `Camera`

    def annotate(frame, camera, preset, draw, landmark, threshold, flip):
        if frame is None:
            return None, "", None
        settings = _settings(preset, draw, landmark, threshold, flip)
        if camera is None or camera.settings != settings:
            camera = _said(Camera, service, settings)
        picture, said = _said(camera.annotate, frame)
        return handed_out(annotated, picture), said, camera

    frame.stream(
        annotate,
        [frame, followed, *controls],
        [annotated, message, followed],
        # Each camera keeps its place until it is switched off or the time is over: places of its
        # own, so that two cameras do not keep all others waiting. Clients of the API do not know
        # streams and would wait for the end of the time; they have `annotate`.
        api_visibility="private",
        concurrency_limit=MAX_CAMERAS,
        stream_every=0.1,
        time_limit=_CAMERA_SECONDS,
    )


def _video_tab(service, controls):
    with gr.Row():
        video = gr.Video(label="Video", sources=["upload"], height=420, elem_id="video")
        annotated = gr.Video(label="Landmarks", height=420, interactive=False)
    message = gr.Markdown(f"At most {MAX_FRAMES} frames and {MAX_BYTES // 10**6} MB.")
    start = gr.Button("Find landmarks", variant="primary")

    def annotate(video, preset, draw, landmark, threshold, flip, progress=gr.Progress()):  # noqa: B008
        if video is None:
            raise gr.Error("Choose a video first.", print_exception=False)
        output = Path(video).with_name(f"{Path(video).stem}_landmarks.webm")
        annotated.temp_files.add(str(output))  # Gradio shows a copy, and clears up both

        def show(done, count):
            progress((done, count), unit="frames")

        settings = _settings(preset, draw, landmark, threshold, flip)
        message = _said(service.annotate_video, video, settings, output, show)
        return str(output), message

    start.click(
        annotate,
        [video, *controls],
        [annotated, message],
        api_name="annotate_video",
        concurrency_limit=1,
    )


def _settings(preset, draw, landmark, threshold, flip):
    return _said(Settings, preset, tuple(draw or ()), landmark or 0, threshold, bool(flip))


def _said(do, *arguments):
    """What it returns; bad input is told to the visitor, and is no news for the server's log."""
    try:
        return do(*arguments)
    except ValueError as error:
        raise gr.Error(str(error), title="Not possible", print_exception=False) from None
