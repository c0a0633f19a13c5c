# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the test guest's picture (tests/guest/ports.c) on a screen?

    picture.py SCREEN.ppm              says "ok", "failed" (the guest's checks did), or what
                                       is there instead; status 1 unless it is "ok"
    picture.py --stand-in SCREEN.ppm   the same for the picture of the sample's boot manager
                                       (samples/boot/efi.c)

The picture lies in the middle of the screen, as large as its proportions allow. Cells are
looked at in their middle: scaling may blur their edges.
"""
import sys

COLUMNS, ROWS = 16, 12
WIDTH, HEIGHT = 800, 600
TOLERANCE = 24


def read(name):
    with open(name, 'rb') as f:
        data = f.read()
    magic, size, depth, pixels = data.split(b'\n', 3)
    width, height = map(int, size.split())
    if magic != b'P6' or depth != b'255' or len(pixels) < width * height * 3:
        sys.exit('%s is no PPM' % name)
    return width, height, pixels


def place(screen, frame):
    """Where the frame lies on the screen: left, top, width, height."""
    scale = min(screen[0] / frame[0], screen[1] / frame[1])
    width, height = frame[0] * scale, frame[1] * scale
    return (screen[0] - width) / 2, (screen[1] - height) / 2, width, height


def pixel(picture, x, y):
    width, height, pixels = picture
    at = (min(int(y), height - 1) * width + min(int(x), width - 1)) * 3
    return pixels[at:at + 3]


def like(a, b):
    return all(abs(p - q) <= TOLERANCE for p, q in zip(a, b))


def colour(column, row, good):
    if row == ROWS - 1:
        return bytes((0, 200, 0)) if good else bytes((200, 0, 0))
    return bytes((column * 16 + 8, row * 20 + 10, 200 if (column ^ row) & 1 else 60))


def count(screen):
    """Of the cells, in percent, those of the right colour: if the checks are well, if not."""
    left, top, width, height = place(screen[:2], (WIDTH, HEIGHT))
    right = [0, 0]
    for row in range(ROWS):
        for column in range(COLUMNS):
            seen = pixel(screen, left + (column + .5) * width / COLUMNS,
                         top + (row + .5) * height / ROWS)
            for good in (0, 1):
                right[good] += like(seen, colour(column, row, good))
    return [n * 100 // (ROWS * COLUMNS) for n in right]


LETTERS = ((0x0e, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0f), (0x0e, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e),
           (0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f), (0x1e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1e))


def count_stand_in(screen):
    """Its lower third has a bar, green if all is well, and the letters of "gild" in dots."""
    third = screen[1] // 3
    top, dot = 2 * third, third // 14
    bar = pixel(screen, screen[0] / 2, top + dot / 2)
    right = 0
    for letter in range(4):
        for row in range(7):
            for column in range(5):
                seen = pixel(screen, dot * (3.5 + letter * 6 + column), top + dot * (4.5 + row))
                lit = LETTERS[letter][row] >> (4 - column) & 1
                right += like(seen, (0xf0, 0xf0, 0xf0)) == bool(lit)
    share = right * 100 // 140
    return [share * like(bar, (0xd0, 0x40, 0x40)), share * like(bar, (0x30, 0xb0, 0x60))]


def main():
    screen = read(sys.argv[-1])
    shares = count_stand_in(screen) if sys.argv[1] == '--stand-in' else count(screen)
    for good, name in ((1, 'ok'), (0, 'failed')):
        if shares[good] >= 98:
            print(name)
            sys.exit(not good)
    print('%dx%d, %d %% of the picture' % (screen[0], screen[1], max(shares)))
    sys.exit(1)


main()
