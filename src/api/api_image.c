/* Pictures. */
#include "priv/api_types.h"

#include <stdlib.h>
#include "base_buf.h"
#include "base_file.h"
#include "base_mem.h"
#include "image_decode.h"

static cistern_status wrap(image *picture, cistern_image **out, cistern_error *err)
{
    cistern_image *made = NULL;
    cistern_status st = base_calloc(1, sizeof *made, &made, err);
    if (st != CISTERN_OK) {
        image_clear(picture);
        return st;
    }
    made->picture = *picture;
    *out = made;
    return CISTERN_OK;
}

cistern_status cistern_image_decode(const void *bytes, size_t n, cistern_image **out, cistern_error *err)
{
    image picture = IMAGE_INIT;
    cistern_status st = image_decode(bytes, n, &picture, err);
    return st == CISTERN_OK ? wrap(&picture, out, err) : st;
}

cistern_status cistern_image_open(const char *path, cistern_image **out, cistern_error *err)
{
    base_buf bytes;
    cistern_status st;
    base_buf_init(&bytes, IMAGE_ENCODED_MAX);
    st = base_read_path(path, &bytes, err);
    if (st == CISTERN_DAMAGED) { /* larger than any picture that is read */
        if (err)
            err->status = CISTERN_UNREADABLE;
        st = CISTERN_UNREADABLE;
    }
    if (st == CISTERN_OK) {
        st = cistern_image_decode(bytes.data, bytes.len, out, err);
        if (st != CISTERN_OK)
            st = base_frame(err, st, "%s", path);
    }
    base_buf_clear(&bytes);
    return st;
}

cistern_status cistern_image_from_rgb(const void *pixels, uint32_t width, uint32_t height, size_t stride,
                                      cistern_image **out, cistern_error *err)
{
    image picture = IMAGE_INIT;
    cistern_status st = image_from_rgb(width, height, stride, pixels, &picture, err);
    return st == CISTERN_OK ? wrap(&picture, out, err) : st;
}

void cistern_image_free(cistern_image *picture)
{
    if (!picture)
        return;
    image_clear(&picture->picture);
    free(picture);
}

uint32_t cistern_image_width(const cistern_image *picture)
{
    return picture->picture.width;
}

uint32_t cistern_image_height(const cistern_image *picture)
{
    return picture->picture.height;
}

const uint8_t *cistern_image_pixels(const cistern_image *picture)
{
    return picture->picture.rgb;
}
