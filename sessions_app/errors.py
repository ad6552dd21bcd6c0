"""What can go wrong in the domain, in a sentence for a human. Which HTTP status that is: proctoring_site/errors.py."""


class ProctoringError(Exception):
    """The base of every domain error: a stable `code` for programs, and a sentence for people."""

    code = "error"
    sentence = "The request could not be carried out."

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)


class SessionClosed(ProctoringError):
    code = "session_closed"
    sentence = "The session has ended, and the time for late events is over."


class EventIdConflict(ProctoringError):
    code = "event_id_conflict"
    sentence = "This id was used for something else; give every event an id of its own."


class EventNotStorable(ProctoringError):
    code = "not_storable"
    sentence = "The event holds something that cannot be stored."


class EventUndecided(ProctoringError):
    code = "try_again"
    sentence = "The event was sent before and is not safely stored yet; send it again in a few seconds."


class SessionNotFound(ProctoringError):
    code = "not_found"
    sentence = "There is no such session."
