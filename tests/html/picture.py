"""Says what a PNG picture shows, as one JSON value: its size, the colour of its first pixel, and how many pixels have
another.

    picture.py FILE

Reads what browsers write: 8 bits, RGB or RGBA, not interlaced.
"""

import json
import struct
import sys
import zlib


def rows(octets):
    """Width, and the rows of pixels as lists of octets."""
    assert octets[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at, data = 8, b""
    while at < len(octets):
        length, kind = struct.unpack(">I4s", octets[at:at + 8])
        body = octets[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            assert depth == 8 and colour in (2, 6) and not interlaced, "another kind of PNG"
        elif kind == b"IDAT":
            data += body
        at += length + 12
    step = 3 if colour == 2 else 4
    data, before, found = zlib.decompress(data), [0] * (width * step), []
    for index in range(height):
        start = index * (width * step + 1)
        rule, row = data[start], list(data[start + 1:start + 1 + width * step])
        for place in range(len(row)):
            left = row[place - step] if place >= step else 0
            above, corner = before[place], before[place - step] if place >= step else 0
            if rule == 1:
                add = left
            elif rule == 2:
                add = above
            elif rule == 3:
                add = (left + above) // 2
            elif rule == 4:
                guess = left + above - corner
                add = min((left, above, corner), key=lambda one: abs(guess - one))
            else:
                add = 0
            row[place] = (row[place] + add) & 0xff
        found.append(row)
        before = row
    return step, found


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        step, found = rows(file.read())
    pixels = [tuple(row[at:at + 3]) for row in found for at in range(0, len(row), step)]
    first = pixels[0]
    other = sum(pixel != first for pixel in pixels)
    json.dump({"width": len(found[0]) // step, "height": len(found), "first": first, "pixels": len(pixels),
               "other": other, "colours": len(set(pixels))}, sys.stdout)
