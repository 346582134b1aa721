/* saved_model.pb: the description of a SavedModel. Its weights are in the files beside it, which are read by themselves;
 * so all that is asked of it is that they are there. */
#include "priv/formats_container.h"

cistern_status formats_saved_model_read(const formats_file *file, uint32_t number, formats_output *out,
                                        cistern_error *err)
{
    (void)file;
    (void)number;
    for (size_t i = 0; i < out->file_count; i++) {
        if (formats_bundle_is(&out->files[i]))
            return CISTERN_OK;
    }
    return base_fail(
        err, CISTERN_UNREADABLE,
        "a TensorFlow SavedModel's description, without its variables (variables/variables.index and "
        ".data-…): give the whole directory (cistern add DIR --as NAME)");
}
