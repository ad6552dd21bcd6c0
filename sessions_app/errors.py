"""What can go wrong in the domain, in a sentence for a human. Which HTTP status that is: proctoring_site/errors.py."""


class ProctoringError(Exception):
    """The base of every domain error: a stable `code` for programs, and a sentence for people."""

    code = "error"
    sentence = "The request could not be carried out."

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(sentence or self.sentence)


class SessionNotFound(ProctoringError):
    code = "not_found"
    sentence = "There is no such session."
