"""How the bodies of old events are compressed.

A body has one or two kilobytes, most of them the names of its members, the same in each: deflate alone halves it. Told
beforehand of what bodies are made of, it leaves three tenths.
"""

import zlib
from typing import Final

PLAIN: Final = 0
DEFLATED: Final = 1
"""How a packed body is stored. These numbers, and what they mean, never change: rows say them."""
_UNREADABLE: Final = "what is stored of a body does not read"
SMALLEST: Final = 200
"""Bytes: what is shorter stays as it is."""


def pack(body: bytes) -> tuple[int, bytes]:
    """The coding, and the body in it: not longer than it was."""
    if len(body) >= SMALLEST:
        packing = zlib.compressobj(zdict=_DICTIONARY)
        packed = packing.compress(body) + packing.flush()
        if len(packed) < len(body):
            return DEFLATED, packed
    return PLAIN, body


def unpack(coding: int, packed: bytes) -> bytes:
    """The body as it came. Raises ValueError for what does not read: it was changed by a disk or a hand."""
    if coding == PLAIN:
        return packed
    if coding != DEFLATED:
        raise ValueError(f"no body is packed in the coding {coding}")
    try:
        unpacking = zlib.decompressobj(zdict=_DICTIONARY)
        body = unpacking.decompress(packed) + unpacking.flush()
    except zlib.error as error:
        raise ValueError(_UNREADABLE) from error
    if not unpacking.eof:
        raise ValueError(_UNREADABLE)
    return body


_DICTIONARY: Final = (
    b'"uploading""waiting""processing","progress":0."running""failed","errorMessage":"","retries":1"asset.'
    b'created""asset.updated""task.spawned""task.updated""multistream.connected","target":{"recording.star'
    b'ted""recording.waiting","recordingStatus":"waiting""stream.started","isActive":true,"isHealthy":true'
    b',"status":{"phase":"{"id":"","webhookId":"","createdAt":17,"timestamp":17,"event":"task.completed","'
    b'payload":{"success":true,"task":{"id":"","type":"upload","snapshot":{"id":"","type":"upload","params'
    b'":{"upload":{"url":"","thumbnails":true}},"status":{"phase":"completed","updatedAt":17},"userId":"",'
    b'"createdAt":17,"projectId":"","scheduledAt":0,"outputAssetId":"","output":{"upload":{"assetSpec":{"i'
    b'd":"","name":"","size":0,"hash":null,"type":"video","videoSpec":{"format":"hls","duration":0,"bitrat'
    b'e":0,"tracks":[{"type":"audio","codec":"aac","bitrate":0,"channels":2,"sampleRate":44100},{"type":"v'
    b'ideo","codec":"h264","bitrate":0,"duration":0,"width":0,"height":0,"pixelFormat":"yuv420p","fps":0}]'
    b'}}}}}}}}{"id":"","webhookId":"","createdAt":17,"timestamp":17,"event":"asset.ready","payload":{"asse'
    b't":{"id":"","snapshot":{"id":"","name":"","source":{"type":"recording","sessionId":""},"status":{"ph'
    b'ase":"ready","updatedAt":17},"userId":"","createdAt":17,"projectId":"","playbackId":"","size":0,"has'
    b'h":null,"videoSpec":{"format":"hls","duration":0,"bitrate":0,"tracks":[{"type":"video","codec":"h264'
    b'","bitrate":0,"duration":0,"width":0,"height":0,"pixelFormat":"yuv420p","fps":0}]},"downloadUrl":"ht'
    b'tps://","playbackUrl":"https://"}}}}{"id":"","webhookId":"","createdAt":17,"timestamp":17,"event":"r'
    b'ecording.ready","stream":{"lastSeen":17,"isActive":false,"record":true,"suspended":false,"sourceSegm'
    b'ents":0,"transcodedSegments":0,"sourceSegmentsDuration":0,"transcodedSegmentsDuration":0,"sourceByte'
    b's":0,"transcodedBytes":0,"lastTerminatedAt":null,"id":"","kind":"stream","name":"","issues":null,"re'
    b'gion":"fra","userId":"","profiles":[{"fps":0,"name":"","width":0,"height":0,"bitrate":0}],"userTags"'
    b':{},"createdAt":17,"creatorId":{"type":"unverified","value":""},"isHealthy":null,"projectId":"","ing'
    b'estRate":0,"playbackId":"","renditions":{},"multistream":{"targets":[{"id":"","profile":"source"}]},'
    b'"outgoingRate":0,"createdByTokenName":""},"payload":{"recordingUrl":"https://","mp4Url":"https://","'
    b'session":{"id":"","kind":"session","name":"","issues":null,"record":true,"userId":"","lastSeen":17,"'
    b'parentId":"","profiles":[{"fps":0,"gop":"2.0","name":"","width":0,"height":0,"bitrate":0}],"createdA'
    b't":17,"isHealthy":null,"projectId":"","ingestRate":0,"playbackId":"","sourceBytes":0,"outgoingRate":'
    b'0,"sourceSegments":0,"recordingStatus":"ready","transcodedBytes":0,"transcodedSegments":0,"sourceSeg'
    b'mentsDuration":0,"transcodedSegmentsDuration":0,"recordingUrl":"https://","mp4Url":"https://","asset'
    b'Id":""}}}{"id":"","webhookId":"","createdAt":17,"timestamp":17,"event":"stream.idle","stream":{"last'
    b'Seen":17,"isActive":false,"record":true,"suspended":false,"sourceSegments":0,"transcodedSegments":0,'
    b'"sourceSegmentsDuration":0,"transcodedSegmentsDuration":0,"sourceBytes":0,"transcodedBytes":0,"lastT'
    b'erminatedAt":null,"id":"","kind":"stream","name":"","issues":null,"region":"fra","userId":"","profil'
    b'es":[{"fps":0,"name":"","width":0,"height":0,"bitrate":0}],"userTags":{},"createdAt":17,"creatorId":'
    b'{"type":"unverified","value":""},"isHealthy":null,"projectId":"","ingestRate":0,"playbackId":"","ren'
    b'ditions":{},"multistream":{"targets":[{"id":"","profile":"source"}]},"outgoingRate":0,"createdByToke'
    b'nName":""}}'
)
"""Never changed: what is packed could not be unpacked any more. A better one would be another coding."""
