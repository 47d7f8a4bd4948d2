# SPDX-License-Identifier: Apache-2.0
#
# A QR code that was drawn in half blocks for a terminal, as a picture: qr_pixels.py TEXT PBM
import re
import sys

SCALE = 4
LIGHT = {"\u2588": (1, 1), "\u2580": (1, 0), "\u2584": (0, 1), " ": (0, 0)}

rows = []
for line in open(sys.argv[1], encoding="utf-8"):
    drawn = re.fullmatch("\033\\[40;97m([\u2588\u2580\u2584 ]+)\033\\[0m\n", line)
    if drawn:
        for half in (0, 1):
            rows.append([LIGHT[c][half] for c in drawn.group(1)])
with open(sys.argv[2], "w", encoding="ascii") as out:
    print("P1", len(rows[0]) * SCALE, len(rows) * SCALE, file=out)
    for row in rows:
        wide = " ".join(str(1 - light) for light in row for _ in range(SCALE))
        for _ in range(SCALE):
            print(wide, file=out)
