//! Codes of inputs (W04xx) and of limits that bite while reading them (W05xx).

codes! {
    UNREADABLE = "W0401" Warning "unreadable input"
"The file or folder could not be opened or read. Everything else was read; the exit code is 2.

Look at its permissions, and whether the disk or share that holds it is still there.";
    UNRECOGNISED = "W0402" Warning "unrecognised input"
"The content is of no format that quell reads. Formats are told by content, not by file name. In a folder such files
are only counted; one that was named on the command line makes the exit code 2.

`--input-format NAME` says what it is. A JSON array, or objects over several lines, must become one object a line
first: `jq -c '.[]' file.json`.";
    NO_SUCH_INPUT = "W0403" Warning "no such input"
"The path does not exist, or nothing matches the pattern. Everything else was read; the exit code is 2.";
    NOT_A_FILE = "W0404" Note "not a regular file"
"A folder holds a pipe, a socket or a device. Reading it could wait for ever, so it was left out.

A pipe that is named on the command line is read.";
    LINK_LOOP = "W0405" Note "link to a folder above"
"A symbolic link leads back to a folder that it stands in. It was not followed; nothing is lost by that.";
    EMPTY_INPUT = "W0406" Note "empty input"
"The file holds no byte, or only blank lines, or the folder holds no file.";
    INPUT_IS_OUTPUT = "W0407" Note "input is the output"
"Standard output goes to this file, so it was not read: what is printed would be read and printed again, without end.
One that was named on the command line makes the exit code 2.

    quell decode logs/ > logs/events.ndjson";
    INPUT_TRUNCATED = "W0408" Warning "followed file was cut"
"A followed file has become shorter, or begins otherwise than before, as after a rotation that copies and empties it. It
is read from its beginning. What was written between the last look at it and the cut was not seen.

Rotate by renaming (`nocopytruncate` of logrotate): then nothing is lost.";
    RECORDS_MAY_BE_MISSING = "W0409" Warning "records may be missing"
"The file in which reading is to go on is not there any more, or was compressed since. Reading goes on with the oldest
file that is known to be newer, or with the followed file from its beginning.

Keep rotated files uncompressed for as long as quell may be down (`delaycompress` of logrotate).";
    RECORD_NOT_JSON = "W0410" Warning "record is not a JSON object"
"The line is cut off, holds something else than one JSON object, or is nested too deeply. It was skipped and counted;
every other record was read.

    {\"process\": {\"name\": \"cmd

With `--strict-input` a damaged record makes the exit code 2.";
    RECORD_NOT_UTF8 = "W0411" Warning "record is not UTF-8"
"The line holds bytes that are not UTF-8, as JSON has to be. It was skipped and counted; every other line was read.

Convert the file, for example from Windows-1252 or UTF-16, with `iconv`.";
    COMPRESSION_DAMAGED = "W0420" Warning "compressed input is damaged"
"The gzip stream is cut off or corrupt. What came before that point was read.";
    EVTX_HEADER_DAMAGED = "W0430" Note "EVTX file header is damaged"
"The file's first 4096 bytes are not an intact EVTX header. Its chunks are read all the same: each has a header of
its own.";
    EVTX_CHECKSUM = "W0431" Warning "EVTX chunk fails its checksum"
"The chunk was changed after it was written, or not written to its end. Its records were read as far as they can be;
their content may be wrong.";
    EVTX_CHUNK_DAMAGED = "W0432" Warning "EVTX chunk is damaged"
"The chunk, or a part of it, could not be read; the message says how many of its records are missing where that is
known. The other chunks were read.";
    EVTX_RECORD_DAMAGED = "W0433" Warning "EVTX record is damaged"
"The record could not be read. It was skipped and counted; every other record was read.";
    EVTX_CUT_OFF = "W0434" Warning "EVTX file is cut off"
"The file ends inside a chunk, or has fewer chunks than its header counts. The records that lie before its end were
read.";
    RECORD_TOO_LONG = "W0501" Warning "record too long"
"The record is longer than the limit, 16 MiB by default. It was skipped without being held in memory, and counted.";
}
