// SPDX-License-Identifier: Apache-2.0
//
// See twctl_qr.h.
#include "twctl_qr.h"

#include <png.h>
#include <qrencode.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUIET_MODULES 4 // ISO/IEC 18004: the empty frame a reader needs
#define PNG_MODULE_PIXELS 6

static int encode(QRcode **ret, const char *text)
{
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);

	if (code == NULL)
		return errno == ERANGE ? -ERANGE : -ENOMEM;
	*ret = code;
	return 0;
}

// Wipes what libqrencode holds of the text.
static void destroy(QRcode *code)
{
	explicit_bzero(code->data, (size_t)code->width * (size_t)code->width);
	QRcode_free(code);
}

static bool is_dark(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return false;
	return code->data[y * code->width + x] & 1;
}

int twctl_qr_draw(FILE *out, const char *text)
{
	// One character shows two modules, one above the other. Index: upper dark, lower dark.
	static const char *const blocks[2][2] = {{"\u2588", "\u2580"}, {"\u2584", " "}};
	QRcode *code;
	int r = encode(&code, text);

	if (r < 0)
		return r;
	for (int y = -QUIET_MODULES; y < code->width + QUIET_MODULES; y += 2) {
		fputs("\033[40;97m", out); // white on black, whatever the theme
		for (int x = -QUIET_MODULES; x < code->width + QUIET_MODULES; x++)
			fputs(blocks[is_dark(code, x, y)][is_dark(code, x, y + 1)], out);
		fputs("\033[0m\n", out);
	}
	destroy(code);
	return 0;
}

static void fill_row(const QRcode *code, int y, png_byte *row, size_t n_pixels)
{
	for (size_t i = 0; i < n_pixels; i++)
		row[i] = is_dark(code, (int)i / PNG_MODULE_PIXELS - QUIET_MODULES, y) ? 0 : 255;
}

// Returns: 0, -ENOMEM, -EIO.
static int write_png(FILE *file, const QRcode *code)
{
	size_t n_pixels = (size_t)(code->width + 2 * QUIET_MODULES) * PNG_MODULE_PIXELS;
	png_byte *row = malloc(n_pixels);
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png == NULL ? NULL : png_create_info_struct(png);
	volatile int r = -ENOMEM;

	if (row == NULL || info == NULL)
		goto out;
	r = -EIO;
	if (setjmp(png_jmpbuf(png)))
		goto out;
	png_init_io(png, file);
	png_set_IHDR(
		png,
		info,
		(png_uint_32)n_pixels,
		(png_uint_32)n_pixels,
		8,
		PNG_COLOR_TYPE_GRAY,
		PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT,
		PNG_FILTER_TYPE_DEFAULT
	);
	png_write_info(png, info);
	for (size_t i = 0; i < n_pixels; i++) {
		fill_row(code, (int)i / PNG_MODULE_PIXELS - QUIET_MODULES, row, n_pixels);
		png_write_row(png, row);
	}
	png_write_end(png, info);
	r = 0;
out:
	png_destroy_write_struct(png == NULL ? NULL : &png, info == NULL ? NULL : &info);
	free(row);
	return r;
}

int twctl_qr_write_png(const char *file, const char *text)
{
	QRcode *code;
	FILE *out;
	int fd, r;

	r = encode(&code, text);
	if (r < 0)
		return r;
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	out = fd < 0 ? NULL : fdopen(fd, "wb");
	if (out == NULL) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		destroy(code);
		return r;
	}
	r = write_png(out, code);
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r < 0)
		unlink(file);
	destroy(code);
	return r;
}
