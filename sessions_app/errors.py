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


class IllegalMove(ProctoringError):
    code = "illegal_move"
    sentence = "The session cannot change from its state to that one."

    def __init__(self, state: str, to: str) -> None:
        super().__init__(f"The session is {state} and cannot become {to}.")


class MovedMeanwhile(ProctoringError):
    code = "try_again"
    sentence = "Others are changing this session at the moment; try again in a few seconds."


class NobodyThere(ProctoringError):
    code = "nobody_there"
    sentence = "The session is not open; nobody would see the message."

    def __init__(self, state: str) -> None:
        super().__init__(f"The session is {state}; nobody would see the message.")


class TooManyCommands(ProctoringError):
    code = "too_many_commands"
    sentence = "This client has been sent too many requests already."


class StartKeyConflict(ProctoringError):
    code = "start_key_conflict"
    sentence = "This key was used for another start, or its session is over or began too long ago; create a new key."


class EventIdConflict(ProctoringError):
    code = "event_id_conflict"
    sentence = "This id was used for something else; give every event an id of its own."


class EventNotStorable(ProctoringError):
    code = "not_storable"
    sentence = "The event contains something that cannot be stored."


class TooManyEvents(ProctoringError):
    code = "too_many_events"
    sentence = "This session has as many events as this server keeps for one; it accepts no more of this type."


class EventUndecided(ProctoringError):
    code = "try_again"
    sentence = "The event is not safely stored yet; send it again in a few seconds."


class SessionNotFound(ProctoringError):
    code = "not_found"
    sentence = "There is no such session."
