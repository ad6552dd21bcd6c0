"""The headers of tus 1.0 (https://tus.io/protocols/resumable-upload), read and checked; no request, no database."""

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ValidationError

from media_app.models import RecordingKind

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,expiration,checksum"
CHECKSUMS = ("sha256", "sha1", "md5")
PART_TYPE = "application/offset+octet-stream"
#: Beyond what a browser counts in exactly.
WHOLE_NUMBER = re.compile(r"[0-9]{1,16}", re.ASCII)
METADATA_MAX_LENGTH = 4096
TEXT_MAX_LENGTH: Mapping[str, int] = {"filename": 255, "filetype": 100}
SHA256 = re.compile(r"[0-9a-f]{64}")
#: No sitting lasts longer.
START_OFFSET_MAX_S = 7 * 24 * 3600


def whole_number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not WHOLE_NUMBER.fullmatch(text):
        raise ValidationError({name: ["Must be a whole number of bytes."]})
    return int(text)


def checksum(headers: Mapping[str, str]) -> tuple[str, bytes] | None:
    """`Upload-Checksum: sha256 BASE64`, as algorithm and digest; None when there is none."""
    text = headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, encoded = text.partition(" ")
    if algorithm not in CHECKSUMS:
        raise ValidationError({"Upload-Checksum": [f"Must be one of {', '.join(CHECKSUMS)}, and a digest in base64."]})
    digest = _decoded(encoded)
    if digest is None or len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise ValidationError({"Upload-Checksum": ["The digest is not a base64 digest of this algorithm."]})
    return algorithm, digest


def told(headers: Mapping[str, str]) -> dict[str, Any]:
    """What `Upload-Metadata` tells of the recording, by the fields of Recording.

    Keys: `kind` (camera, screen), `filename`, `filetype`, `sha256` (hex, of the whole), `start_offset_s`. Others are
    another program's and passed over. Raises ValidationError that names the keys at fault.
    """
    pairs = metadata(headers.get("Upload-Metadata", ""))
    faults: dict[str, list[str]] = {}
    fields: dict[str, Any] = {
        "told_name": pairs.get("filename") or pairs.get("name"),
        "told_type": pairs.get("filetype") or pairs.get("type"),
        "told_sha256": pairs["sha256"].lower() if pairs.get("sha256") else None,
        "kind": pairs.get("kind") or RecordingKind.CAMERA.value,
    }
    for key, field in (("filename", "told_name"), ("filetype", "told_type")):
        if len(fields[field] or "") > TEXT_MAX_LENGTH[key] or "\0" in (fields[field] or ""):
            faults[key] = [f"Must be text of at most {TEXT_MAX_LENGTH[key]} characters."]
    if fields["kind"] not in RecordingKind.values:
        faults["kind"] = [f"Must be one of {', '.join(RecordingKind.values)}."]
    if fields["told_sha256"] and not SHA256.fullmatch(fields["told_sha256"]):
        faults["sha256"] = ["64 hexadecimal digits."]
    if "start_offset_s" in pairs:
        fields["start_offset_s"] = _seconds(pairs["start_offset_s"])
        if fields["start_offset_s"] is None:
            faults["start_offset_s"] = [f"Must be seconds from the session's start, 0 to {START_OFFSET_MAX_S}."]
    if faults:
        raise ValidationError(faults)
    return fields


def metadata(text: str) -> dict[str, str]:
    """`key BASE64,key BASE64,…` as keys and UTF-8 text."""
    fault = ValidationError({"Upload-Metadata": ["Must be keys with their values in base64, as in tus."]})
    if len(text) > METADATA_MAX_LENGTH:
        raise fault
    pairs: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, _, encoded = pair.partition(" ")
        value = _decoded(encoded.strip())
        if value is None or key in pairs:
            raise fault
        try:
            pairs[key] = value.decode()
        except UnicodeDecodeError:
            raise fault from None
    return pairs


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _seconds(text: str) -> float | None:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text, re.ASCII):
        return None
    seconds = float(text)
    return seconds if seconds <= START_OFFSET_MAX_S else None
