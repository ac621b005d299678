"""Function shorten_url: gives each URL a short one.

Takes {"urls": [{"url", ...}]}, gives the same with "short" added to each. The short URL is made of the
URL's SHA-256 alone, so a second attempt, or another post with the same URL, gets the same one.
"""

import hashlib

BASE = "https://weft.example/"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 8


def handler(event, context):
    taken = {}
    return {"urls": [{**u, "short": BASE + shorten(u["url"], taken)} for u in event["urls"]]}


def shorten(url, taken):
    """Return url's code: 8 digits, or more where 8 mean another URL in taken."""
    digits = base62(hashlib.sha256(url.encode("utf-8", "surrogatepass")).digest())
    n = LENGTH
    while taken.setdefault(digits[:n], url) != url:
        n += 1
    return digits[:n]


def base62(data):
    n = int.from_bytes(data, "big")
    digits = ""
    while n:
        n, d = divmod(n, 62)
        digits += DIGITS[d]
    return digits.ljust(43, "0")
