"""Function user_mention: finds the users that a text mentions.

Takes {"text"}, gives {"mentions": [{"user", "start", "end"}]} in order of the text. Positions count code points;
end is exclusive. The @ of a mail address or of a path in a URL begins no mention.
"""

import re

MENTION = re.compile(r"(?<![\w/@.])@([A-Za-z0-9_]{1,30})(?!\w|@)")


def handler(event, context):
    return {
        "mentions": [
            {"user": m.group(1), "start": m.start(), "end": m.end()} for m in MENTION.finditer(event["text"])
        ]
    }
