"""What can go wrong with a video."""

from sessions_app.errors import ProctoringError


class NotAVideo(ProctoringError):
    code = "not_a_video"
    sentence = "The file is not a WebM, MP4, MOV or Matroska video that can be read."


class VideoTooLarge(ProctoringError):
    code = "video_too_large"
    sentence = "The video is larger than this server accepts."

    @classmethod
    def beyond(cls, limit: int) -> "VideoTooLarge":
        return cls(f"The video is larger than the {limit:,} bytes that this server accepts.")


class UnsafeFileName(ProctoringError):
    code = "unsafe_filename"
    sentence = "Give the plain name of a file inside the import folder."


class ImportFileNotFound(ProctoringError):
    code = "not_found"
    sentence = "There is no such file in the import folder."


class StoredFileNotFound(ProctoringError):
    code = "not_found"
    sentence = "There is no such file."


class NoPicture(ProctoringError):
    code = "no_picture"
    sentence = "No playable recording shows this moment."


class UploadNotFound(ProctoringError):
    code = "not_found"
    sentence = "There is no such upload: it never began, was cancelled, or has expired."


class WrongOffset(ProctoringError):
    code = "wrong_offset"
    sentence = "The bytes do not continue where the upload ended; ask for its offset."


class UploadBusy(ProctoringError):
    code = "upload_busy"
    sentence = "Another request is writing to this upload; try again in a few seconds."


class UploadFinished(ProctoringError):
    code = "upload_finished"
    sentence = "The upload is complete; a recording cannot be withdrawn."


class WrongChecksum(ProctoringError):
    code = "wrong_checksum"
    sentence = "The bytes do not match the checksum; they were discarded."


class TooManyRecordings(ProctoringError):
    code = "too_many_recordings"
    sentence = "This session cannot take any more recordings."


class TooManyAtOnce(ProctoringError):
    code = "try_again"
    sentence = "Too many recordings are arriving at the moment; try again in a few seconds."


class StrangeVersion(ProctoringError):
    code = "tus_version"
    sentence = "Send the header Tus-Resumable: 1.0.0; no other version is supported."


class StorageFailed(ProctoringError):
    code = "storage_failed"
    sentence = "The storage of videos and reports failed; try again in a few seconds."
    is_outage = True  # background work that meets it loses no try


class UploadLost(StorageFailed):
    """The storage answers, and has not all the bytes that it had."""

    sentence = "The storage has lost bytes of this upload."
    is_outage = False
