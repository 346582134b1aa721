/* The containers: each adds one file's tensors to an index. */
#ifndef FORMATS_CONTAINER_H
#define FORMATS_CONTAINER_H

#include "priv/formats_output.h"

/** PyTorch's zip, since 1.6. */
cistern_status formats_pth_read(const formats_file *file, uint32_t number, formats_output *out,
                                cistern_error *err) CISTERN_MUST_CHECK;
/** PyTorch's stream of pickles and storages, 0.1.10 to 1.5. */
cistern_status formats_legacy_read(const formats_file *file, uint32_t number, formats_output *out,
                                   cistern_error *err) CISTERN_MUST_CHECK;
cistern_status formats_safetensors_read(const formats_file *file, uint32_t number, formats_output *out,
                                        cistern_error *err) CISTERN_MUST_CHECK;
/** Keras' HDF5 files, and .keras, a zip file around one. */
cistern_status formats_keras_read(const formats_file *file, uint32_t number, formats_output *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;
cistern_status formats_keras_read_zip(const formats_file *file, uint32_t number, formats_output *out,
                                      cistern_error *err) CISTERN_MUST_CHECK;
bool formats_keras_is_zip(const formats_file *file); /* by its members' names */
/** Anything else: always UNREADABLE, saying what the file seems to be. */
cistern_status formats_other_refuse(const formats_file *file, cistern_error *err) CISTERN_MUST_CHECK;

#endif
