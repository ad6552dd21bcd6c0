"""What can go wrong with a video."""

from sessions_app.errors import ProctoringError


class NotAVideo(ProctoringError):
    code = "not_a_video"
    sentence = "The file is not a WebM, MP4, MOV or Matroska video that can be read."


class VideoTooLarge(ProctoringError):
    code = "video_too_large"
    sentence = "The video is larger than this server accepts."


class UnsafeFileName(ProctoringError):
    code = "unsafe_filename"
    sentence = "Give the plain name of a file inside the import folder."


class ImportFileNotFound(ProctoringError):
    code = "not_found"
    sentence = "There is no such file in the import folder."


class StoredFileNotFound(ProctoringError):
    code = "not_found"
    sentence = "There is no such file."
