// SPDX-License-Identifier: Apache-2.0
//
// A text as a QR code: in a terminal, or as an image in memory. The only user of libqrencode and libpng.
// The text may be a secret: nothing is kept, and who gets an image wipes it. Any thread.
#pragma once

#include <stddef.h>
#include <stdio.h>

// UTF-8 half blocks, light modules on a dark ground drawn so that any terminal theme can be scanned.
//
// Returns: 0; -ERANGE when the text is too long for a QR code; -ENOMEM.
int qr_image_draw(FILE *out, const char *text);

// Out: ret, malloc'd.
//
// Returns: 0; -ERANGE; -ENOMEM; -EIO when libpng refuses.
int qr_image_png(const char *text, char **ret, size_t *ret_len);

// The same as an SVG document, with a terminating zero.
int qr_image_svg(const char *text, char **ret);
