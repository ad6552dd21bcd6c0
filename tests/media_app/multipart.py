"""A video as a form of a browser sends it, whole or piece by piece."""

from django.core.files.uploadedfile import SimpleUploadedFile

BOUNDARY = "boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()


def upload(api, session_id, path, *, name=None):
    file = SimpleUploadedFile(name or path.name, path.read_bytes(), content_type="application/octet-stream")
    return api.post(f"/sessions/{session_id}/video", {"file": file})


def part(name, data, *, filename=None):
    named = f'; filename="{filename}"' if filename is not None else ""
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + data + b"\r\n"


def post_raw(api, session_id, body, content_type=MULTIPART):
    return api.generic("POST", f"/sessions/{session_id}/video", body, content_type=content_type)
