/* Runs requests on a SavedModel through TensorFlow's C API.

   Usage: c_consumer FOLDER REQUESTS ANSWERS

   Both files are binary, in the machine's byte order. REQUESTS: int32 number
   of requests; of each int32 number of inputs, then an operation, type, rank,
   sizes and content of each; int32 number of outputs, then an operation of
   each. An operation is int32 length, name, int32 index. Content is int64
   bytes and the bytes; of strings that for each. ANSWERS: for each request
   int32 code; if it isn't 0, the message as a string, else type, rank, sizes
   and content of each output. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"

enum { MOST = 16 };

static FILE *in, *out;
static TF_Graph *graph;

static void get(void *data, size_t size) {
  if (size && fread(data, size, 1, in) != 1) exit(2);
}

static void put(const void *data, size_t size) {
  if (size && fwrite(data, size, 1, out) != 1) exit(3);
}

static int32_t get_int(void) {
  int32_t value;
  get(&value, sizeof value);
  return value;
}

static void put_int(int32_t value) { put(&value, sizeof value); }

static void put_bytes(const char *data, int64_t size) {
  put(&size, sizeof size);
  put(data, size);
}

static TF_Output get_operation(void) {
  char name[512] = {0};
  int32_t length = get_int();
  if (length >= (int32_t)sizeof name) exit(4);
  get(name, length);
  TF_Output result = {TF_GraphOperationByName(graph, name), get_int()};
  if (!result.oper) exit(5);
  return result;
}

static TF_Tensor *get_tensor(void) {
  TF_DataType type = get_int();
  int rank = get_int();
  int64_t sizes[8], count = 1, bytes;
  get(sizes, rank * sizeof *sizes);
  for (int i = 0; i < rank; i++) count *= sizes[i];
  if (type != TF_STRING) {
    get(&bytes, sizeof bytes);
    TF_Tensor *tensor = TF_AllocateTensor(type, sizes, rank, bytes);
    get(TF_TensorData(tensor), bytes);
    return tensor;
  }
  TF_Tensor *tensor =
      TF_AllocateTensor(type, sizes, rank, count * sizeof(TF_TString));
  TF_TString *strings = TF_TensorData(tensor);
  for (int64_t i = 0; i < count; i++) {
    get(&bytes, sizeof bytes);
    char *text = malloc(bytes + 1);
    get(text, bytes);
    TF_TString_Init(&strings[i]);
    TF_TString_Copy(&strings[i], text, bytes);
    free(text);
  }
  return tensor;
}

static void put_tensor(TF_Tensor *tensor) {
  int64_t count = 1;
  put_int(TF_TensorType(tensor));
  put_int(TF_NumDims(tensor));
  for (int i = 0; i < TF_NumDims(tensor); i++) {
    int64_t size = TF_Dim(tensor, i);
    put(&size, sizeof size);
    count *= size;
  }
  if (TF_TensorType(tensor) != TF_STRING) {
    put_bytes(TF_TensorData(tensor), TF_TensorByteSize(tensor));
    return;
  }
  TF_TString *strings = TF_TensorData(tensor);
  for (int64_t i = 0; i < count; i++) {
    put_bytes(TF_TString_GetDataPointer(&strings[i]),
              TF_TString_GetSize(&strings[i]));
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 1;
  in = fopen(argv[2], "rb");
  out = fopen(argv[3], "wb");
  const char *tags[] = {"serve"};
  TF_Status *status = TF_NewStatus();
  TF_SessionOptions *options = TF_NewSessionOptions();
  graph = TF_NewGraph();
  TF_Session *session = TF_LoadSessionFromSavedModel(
      options, NULL, argv[1], tags, 1, graph, NULL, status);
  if (TF_GetCode(status) != TF_OK) {
    fprintf(stderr, "%s\n", TF_Message(status));
    return 6;
  }
  for (int left = get_int(); left > 0; left--) {
    TF_Output inputs[MOST], outputs[MOST];
    TF_Tensor *given[MOST], *results[MOST] = {0};
    int taken = get_int();
    for (int i = 0; i < taken; i++) {
      inputs[i] = get_operation();
      given[i] = get_tensor();
    }
    int wanted = get_int();
    for (int i = 0; i < wanted; i++) outputs[i] = get_operation();
    TF_SessionRun(session, NULL, inputs, given, taken, outputs, results,
                  wanted, NULL, 0, NULL, status);
    put_int(TF_GetCode(status));
    if (TF_GetCode(status) != TF_OK) {
      put_bytes(TF_Message(status), strlen(TF_Message(status)));
    } else {
      for (int i = 0; i < wanted; i++) put_tensor(results[i]);
    }
    for (int i = 0; i < taken; i++) TF_DeleteTensor(given[i]);
    for (int i = 0; i < wanted && results[i]; i++) TF_DeleteTensor(results[i]);
  }
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  return fclose(out);
}
