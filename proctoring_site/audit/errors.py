"""What can go wrong with the audit log."""


class AuditFailed(Exception):
    """The audit log took no record, so what it would have recorded was not done."""


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete audit records."""

    def __init__(self) -> None:
        super().__init__("The audit log is append-only: its records cannot be changed or deleted.")
