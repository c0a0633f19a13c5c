# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the test guest's picture (tests/guest/ports.c) on a screen?

    picture.py SCREEN.ppm              says "ok", "failed" (the guest's checks did), or what
                                       is there instead; status 1 unless it is "ok"
    picture.py --same SCREEN.ppm FRAME.ppm     the same for any frame of a guest

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


def count(screen, frame, want):
    """Of a grid's points, in percent, those that are as `want` (x, y) says."""
    left, top, width, height = place(screen[:2], frame)
    right = sum(like(pixel(screen, left + (column + .5) * width / COLUMNS,
                           top + (row + .5) * height / ROWS), want(column, row))
                for row in range(ROWS) for column in range(COLUMNS))
    return right * 100 // (ROWS * COLUMNS)


def main():
    if sys.argv[1] == '--same':
        screen, frame = read(sys.argv[2]), read(sys.argv[3])
        share = count(screen, frame[:2], lambda column, row: pixel(
            frame, (column + .5) * frame[0] / COLUMNS, (row + .5) * frame[1] / ROWS))
        lit = any(frame[2])
        print('ok' if share >= 98 and lit else '%d %% of the frame, %s' % (share, 'lit' if lit else 'dark'))
        sys.exit(share < 98 or not lit)
    screen = read(sys.argv[1])
    for good, name in ((True, 'ok'), (False, 'failed')):
        if count(screen, (WIDTH, HEIGHT), lambda column, row: colour(column, row, good)) >= 98:
            print(name)
            sys.exit(not good)
    best = max(count(screen, (WIDTH, HEIGHT), lambda column, row: colour(column, row, good))
               for good in (True, False))
    print('%dx%d, %d %% of the picture' % (screen[0], screen[1], best))
    sys.exit(1)


main()
