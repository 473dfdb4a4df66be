// One face of a camera: where it is, where it goes, how it looks, and whether it is still seen, as
// in keras_lotr/tracking/track.py. `facts`: those of src/facts.json.

import { isFace } from "./certainty.js";
import { BoxesBeside, SteadyCrop, uprightDegrees } from "./crops.js";
import { boxOf, cropFromBox, meanOf } from "./geometry.js";
import { warp } from "./pixels.js";
import { likeness, portrait } from "./portrait.js";
import { FaceSmoother } from "./smoothing.js";

export class Track {
  hidden = false; // whether it is not seen at present
  misses = 0; // how often in a row the detector did not find it
  confirmed = 0; // how often the detector found it
  sure = false; // whether it is a face for certain
  face; // {box, score} that the detector found last
  points; // pixels of the image, as the network said last; null before the first
  smoothed; // the same, smoothed
  box; // where it is, or, while it is hidden, where it should be
  known; // {sigma, visible} of the last landmarks
  isFresh; // whether its landmarks are of the detector's crop, not of the landmarks before
  degrees; // its tilt

  #facts;
  #numbers;
  #velocity;
  #time;
  #found; // when the detector found it last
  #seen; // {box, velocity, time} when it was last seen clearly
  #smoother;
  #steady;
  #beside;
  #quality = null;
  #wasWellSeen = false;
  #looks = null; // on average,
  #last = null; // in the last frame,
  #before = null; // and in the one before

  constructor(trackId, face, timestamp, facts) {
    this.trackId = trackId;
    this.#facts = facts;
    this.#numbers = facts.tracking.track;
    this.confirm(face, timestamp);
    this.#restart(face, timestamp);
  }

  // Begin again at what the detector found: nothing of the way there is known.
  #restart(face, timestamp) {
    const { tracking } = this.#facts;
    [this.points, this.degrees, this.isFresh] = [null, 0, true];
    [this.box, this.#velocity, this.#time] = [face.box, [0, 0], timestamp];
    this.#seen = { box: this.box, velocity: this.#velocity, time: timestamp };
    this.#smoother = new FaceSmoother(tracking.smoothing);
    this.#steady = new SteadyCrop(tracking);
    this.#beside = new BoxesBeside(tracking);
  }

  // The detector found it.
  confirm(face, timestamp) {
    const { sure, times } = this.#numbers;
    [this.face, this.misses, this.#found] = [face, 0, timestamp];
    this.confirmed += 1;
    const isOften = this.confirmed >= times && (this.#quality === null || this.#wasWellSeen);
    this.sure ||= face.score >= sure || isOften;
    if (this.hidden) {
      this.hidden = false;
      this.#restart(face, timestamp);
    }
  }

  // It is not seen: it goes on as it went when it was last seen clearly.
  hide() {
    this.hidden = true;
    [this.box, this.#velocity] = [this.#seen.box, this.#seen.velocity];
  }

  // Seconds since it was last seen clearly.
  unclearFor(timestamp) {
    return timestamp - this.#seen.time;
  }

  // The box where it should be at that time.
  expected(timestamp) {
    if (!this.hidden) return moved(this.box, this.#velocity, timestamp - this.#time);
    const { coast } = this.#numbers; // seconds after which it has mostly stopped
    const { box, velocity } = this.#seen;
    return moved(box, velocity, coast * (1 - Math.exp(-this.unclearFor(timestamp) / coast)));
  }

  // The `cropFromImage` in which the network looks for its landmarks; `isAfresh`: what the detector
  // finds in this frame is better known than where the last landmarks have gone.
  crop(timestamp, isAfresh) {
    const { landmarker, tracking } = this.#facts;
    if (!this.points || (isAfresh && this.#found === timestamp)) {
      this.#steady = new SteadyCrop(tracking);
      return cropFromBox(this.face.box, landmarker.image_size, landmarker.margin, 0);
    }
    const elapsed = timestamp - this.#time;
    const points = this.points.map((point) => moved(point, this.#velocity, elapsed));
    return this.#steady.next(points, this.degrees, timestamp, landmarker, this.#beside.offset);
  }

  // Take the landmarks that the network found in a crop.
  update({ points, sigma, visible, quality }, crop, cropFromImage, timestamp) {
    const { scheme } = this.#facts.landmarker;
    this.isFresh = !this.points;
    if (!this.isFresh) {
      const elapsed = timestamp - this.#time;
      const [from, to] = [this.points, points].map((all) => meanOf(all));
      const velocity = to.map((value, axis) => (value - from[axis]) / elapsed);
      this.#velocity = mixed(this.#velocity, velocity, elapsed / this.#numbers.motion);
    }
    [this.points, this.box, this.#time] = [points, boxOf(points), timestamp];
    this.known = { sigma, visible };
    this.smoothed = this.#smoother.next(points, cropFromImage, crop.width, timestamp, sigma);
    this.degrees = uprightDegrees(points, this.#facts.schemes[scheme].five_points);
    this.#quality = quality;
    this.#wasWellSeen ||= quality >= this.#numbers.well_seen;
    this.sure ||= quality >= this.#numbers.sure_quality;
    [this.#before, this.#last] = [this.#last, portrait(crop, this.#numbers)];
  }

  get #goodQuality() {
    return this.#facts.landmarker.certainty.good_quality;
  }

  // Whether its landmarks say that there is no face, or that it is covered.
  get lost() {
    const numbers = this.#facts.landmarker.certainty;
    const [quality, sureScore] = [this.#quality, this.#facts.detector.score_threshold];
    if (quality === null) return false;
    if (this.#wasWellSeen) return quality < this.#goodQuality;
    const { score } = this.face;
    return quality < numbers.no_quality || !isFace({ score, quality }, sureScore, numbers);
  }

  // Whether it suddenly looks different: something may be in front, or the scene was cut.
  get doubtful() {
    const { alike, like_itself: enough } = this.#numbers;
    const isSudden = this.#before && likeness(this.#before, this.#last) < alike;
    return isSudden || this.likeItself < enough;
  }

  // -1..1: how well what is seen now fits what it looked like so far.
  get likeItself() {
    return this.#looks ? likeness(this.#looks, this.#last) : 1;
  }

  // Note how the detector's box of this frame differs from that of the landmarks.
  compare() {
    this.#beside.compare(this.box, this.face);
  }

  // Remember place, velocity and looks: nothing is in front.
  seenClearly(timestamp) {
    const share = this.unclearFor(timestamp) / this.#numbers.looks;
    this.#seen = { box: this.box, velocity: this.#velocity, time: timestamp };
    this.#looks = this.#looks ? mixed(this.#looks, this.#last, share) : this.#last;
  }

  // -1..1: how much a face that was detected looks like this one.
  likenessTo(image, { box }) {
    if (!this.#looks) return 0;
    const { compared_side: side, compared_margin: margin } = this.#numbers;
    const crop = warp(image, cropFromBox(box, side, margin, this.degrees), side);
    return likeness(this.#looks, portrait(crop, this.#numbers));
  }
}

// A point or a box, so many seconds later.
function moved(place, velocity, seconds) {
  return place.map((value, i) => value + velocity[i % 2] * seconds);
}

function mixed(old, now, share) {
  return old.map((value, i) => value + Math.min(1, share) * (now[i] - value));
}
