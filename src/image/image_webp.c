/* WebP by libwebp and libwebpdemux.
 *
 * The first picture of the file (most hold one), put on a black canvas where it does not fill it, which is what Pillow's
 * decoder makes of an animation's first frame. Alpha is dropped, the colours beneath it kept.
 *
 * Invariants
 *  1. Memory for the pixels is taken only after canvas and picture were checked against the limits and each other.
 *  2. The demuxer refuses a file of which a byte is missing; it does not look into the compressed data.
 */
#include "priv/image_kinds.h"

#include <stdbool.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

/* Whether a picture lies on the canvas; the demuxer says so too. */
static bool fits(const WebPIterator *frame, uint32_t width, uint32_t height)
{
    return frame->complete && frame->x_offset >= 0 && frame->y_offset >= 0 && frame->width > 0 &&
           frame->height > 0 && (uint64_t)frame->x_offset + (uint64_t)frame->width <= width &&
           (uint64_t)frame->y_offset + (uint64_t)frame->height <= height;
}

static cistern_status fail_damaged(const char *what, cistern_error *err)
{
    return base_fail(err, CISTERN_UNREADABLE, "a damaged or cut off WebP (fetch or export it again): %s",
                     what);
}

/* The picture of a frame into its place. */
static cistern_status decode_frame(const WebPIterator *frame, image *canvas, cistern_error *err)
{
    size_t stride = (size_t)canvas->width * IMAGE_CHANNELS;
    size_t before = (size_t)frame->y_offset * stride + (size_t)frame->x_offset * IMAGE_CHANNELS;
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) {
        return base_fail(err, CISTERN_UNEXPECTED, "not the libwebp that this was built with");
    }
    if (WebPGetFeatures(frame->fragment.bytes, frame->fragment.size, &config.input) != VP8_STATUS_OK ||
        config.input.width != frame->width || config.input.height != frame->height) {
        return fail_damaged("its picture has another size than it says", err);
    }
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = canvas->rgb + before;
    config.output.u.RGBA.stride = (int)stride; /* at most 3 * IMAGE_PIXELS_MAX */
    config.output.u.RGBA.size = stride * canvas->height - before;
    VP8StatusCode code = WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
    if (code == VP8_STATUS_OUT_OF_MEMORY) {
        return base_fail(err, CISTERN_NO_MEMORY, "out of memory while decoding a WebP");
    }
    return code == VP8_STATUS_OK ? CISTERN_OK : fail_damaged("its picture cannot be decoded", err);
}

cistern_status image_webp_decode(const uint8_t *bytes, size_t n, image *out, cistern_error *err)
{
    const WebPData data = {bytes, n};
    image made = IMAGE_INIT;
    WebPIterator frame;
    memset(&frame, 0, sizeof frame);
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (demuxer == NULL) {
        return fail_damaged("its parts do not fit together", err);
    }
    uint32_t width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
    uint32_t height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    cistern_status status = CISTERN_OK;
    if (!WebPDemuxGetFrame(demuxer, 1, &frame) || !fits(&frame, width, height)) {
        status = fail_damaged("there is no picture in it", err);
        goto out;
    }
    status = image_rgb_new(width, height, &made, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    status = decode_frame(&frame, &made, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    *out = made;
    made = (image)IMAGE_INIT;
out:
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxDelete(demuxer);
    image_clear(&made);
    return status;
}
