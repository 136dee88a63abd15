"""What a person supposes with `--what-if`, read into the contract's words."""

from collections.abc import Callable, Mapping

from google.type.date_pb2 import Date

from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import details
from services.console.stop import Stop

FORMS = (
    '"home D3", "relative D3", "hostel D3", "hospital D3", "approved premises D3", "bail address D3", '
    '"no fixed abode", "arrest D3", "prison BMI", "release", "release 2005-03-01 F2" (planned, to an '
    'address), "dispute F2", "forum F2" (decides for it), "sentence", "removed"; with "@ 2005-01-10T09:00" '
    "at that time"
)


def supposition(text: str) -> tracking.Supposition:
    what, _, when = (part.strip() for part in text.partition("@"))
    words = what.split()
    for many in (3, 2, 1):
        read = _FORMS.get(" ".join(words[:many]).lower())
        if read is not None and len(words) >= many:
            made = read(words[many:], text)
            if when:
                made.time.CopyFrom(details.instant(when, "--what-if"))
            return made
    raise _refused(text)


def _residence(kind: tracking.ResidenceKind.ValueType) -> Callable[[list[str], str], tracking.Supposition]:
    def read(words: list[str], text: str) -> tracking.Supposition:
        return tracking.Supposition(residence=tracking.SupposedResidence(kind=kind, ocu=_one(words, text)))

    return read


def _nowhere(words: list[str], text: str) -> tracking.Supposition:
    _none(words, text)
    nowhere = tracking.SupposedResidence(kind=tracking.RESIDENCE_KIND_NO_FIXED_ABODE)
    return tracking.Supposition(residence=nowhere)


def _named(field: str) -> Callable[[list[str], str], tracking.Supposition]:
    return lambda words, text: tracking.Supposition(**{field: _one(words, text)})  # type: ignore[arg-type]


def _release(words: list[str], text: str) -> tracking.Supposition:
    if not words:
        return tracking.Supposition(released=True)
    given = details.parts(words[0])
    if given is None or not all(given) or len(words) > 2:
        raise _refused(text)
    year, month, day = given
    planned = tracking.SupposedRelease(
        release_date=Date(year=year, month=month, day=day), ocu="".join(words[1:])
    )
    return tracking.Supposition(planned_release=planned)


def _sentence(words: list[str], text: str) -> tracking.Supposition:
    _none(words, text)
    return tracking.Supposition(stage=tracking.STAGE_KIND_COMMUNITY_SENTENCE)


def _removed(words: list[str], text: str) -> tracking.Supposition:
    _none(words, text)
    return tracking.Supposition(removed=True)


def _one(words: list[str], text: str) -> str:
    if len(words) != 1:
        raise _refused(text)
    return words[0]


def _none(words: list[str], text: str) -> None:
    if words:
        raise _refused(text)


def _refused(text: str) -> Stop:
    return Stop(f"--what-if {text!r} is none of {FORMS}", 2)


_FORMS: Mapping[str, Callable[[list[str], str], tracking.Supposition]] = {
    "home": _residence(tracking.RESIDENCE_KIND_HOME),
    "relative": _residence(tracking.RESIDENCE_KIND_RELATIVE),
    "hostel": _residence(tracking.RESIDENCE_KIND_HOSTEL),
    "hospital": _residence(tracking.RESIDENCE_KIND_HOSPITAL),
    "approved premises": _residence(tracking.RESIDENCE_KIND_APPROVED_PREMISES),
    "bail address": _residence(tracking.RESIDENCE_KIND_BAIL_ADDRESS),
    "no fixed abode": _nowhere,
    "prison": _named("received_prison_id"),
    "release": _release,
    "arrest": _named("arrested_suite_id"),
    "dispute": _named("disputed_by"),
    "forum": _named("decided_for"),
    "sentence": _sentence,
    "removed": _removed,
}
