/* The containers: each adds one file's tensors to an index. */
#ifndef FORMATS_CONTAINER_H
#define FORMATS_CONTAINER_H

#include "priv/formats_output.h"
#include "priv/formats_zip.h"

/** PyTorch's zip, since 1.6. */
cistern_status formats_pth_read(const formats_file *file, uint32_t number, formats_output *out,
                                cistern_error *err) CISTERN_MUST_CHECK;
/** PyTorch's stream of pickles and storages, 0.1.10 to 1.5. */
cistern_status formats_legacy_read(const formats_file *file, uint32_t number, formats_output *out,
                                   cistern_error *err) CISTERN_MUST_CHECK;
cistern_status formats_safetensors_read(const formats_file *file, uint32_t number, formats_output *out,
                                        cistern_error *err) CISTERN_MUST_CHECK;
/** Keras' HDF5 files. */
cistern_status formats_keras_read(const formats_file *file, uint32_t number, formats_output *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;
/** The weights of a .keras, a zip file, and its configuration; other members are not looked at, and as of PyTorch's storages the CRC-32 of
 * this one is not compared. */
#define FORMATS_KERAS_MEMBER "model.weights.h5"
#define FORMATS_KERAS_CONFIG "config.json"
cistern_status formats_keras_read_member(const formats_file *file, const formats_zip *zip,
                                         const formats_zip_member *m, uint32_t number, formats_output *out,
                                         cistern_error *err) CISTERN_MUST_CHECK;
/** ONNX; tensors may be in other files of the version. Adds the views that its graph tells of. */
cistern_status formats_onnx_read(const formats_file *file, uint32_t number, formats_output *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;
/** A frozen TensorFlow graph (GraphDef): its constants, and the views that it tells of. */
cistern_status formats_tensorflow_read(const formats_file *file, uint32_t number, formats_output *out,
                                       cistern_error *err) CISTERN_MUST_CHECK;
/** The index of a TensorFlow checkpoint (variables.index); the tensors are in other files of the version. */
cistern_status formats_bundle_read(const formats_file *file, uint32_t number, formats_output *out,
                                   cistern_error *err) CISTERN_MUST_CHECK;
/** saved_model.pb: that its variables are among the files, and what its graph makes of them. */
cistern_status formats_saved_model_read(const formats_file *file, uint32_t number, formats_output *out,
                                        cistern_error *err) CISTERN_MUST_CHECK;
/** model.safetensors.index.json: that every tensor is in the file that it says. Adds nothing. */
cistern_status formats_shards_read(const formats_file *file, uint32_t number, formats_output *out,
                                   cistern_error *err) CISTERN_MUST_CHECK;
/** Which of the protocol buffers a file seems to be. */
typedef enum formats_message {
    FORMATS_MESSAGE_NONE = 0,
    FORMATS_MESSAGE_ONNX,
    FORMATS_MESSAGE_SAVED_MODEL,
    FORMATS_MESSAGE_GRAPH,    /* TensorFlow's GraphDef */
    FORMATS_MESSAGE_METADATA, /* beside a SavedModel: fingerprint.pb, keras_metadata.pb */
} formats_message;
formats_message formats_message_of(const formats_file *file);
/** Whether it ends as TensorFlow's tables do. */
bool formats_bundle_is(const formats_file *file);
/** Whether it is a list of safetensors shards. */
bool formats_shards_is(const formats_file *file);
/** Whether it is a text that may lie beside weights: JSON, Markdown; no pointer to a file, no page of a server. */
bool formats_other_is_document(const formats_file *file);
/** Anything else: always UNREADABLE, saying what the file seems to be. */
cistern_status formats_other_refuse(const formats_file *file, cistern_error *err) CISTERN_MUST_CHECK;

#endif
