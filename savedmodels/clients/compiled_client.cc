// A client of code compiled ahead of time: reads ids, prints the first output.
//
// Usage: compiled_client ID...
//
// `tf-longformer export CHECKPOINT FOLDER --format aot --length N` writes the
// folder. Then, with the Python that has TensorFlow:
//
//   T=$(python -c 'import tensorflow; print(tensorflow.__path__[0])')
//   g++ -std=c++17 -O2 -w -IFOLDER -I$T/include compiled_client.cc \
//       FOLDER/longformer*.cc FOLDER/longformer*.o \
//       -L$T -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 \
//       -Wl,-rpath,$T -o compiled_client

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "longformer.h"

namespace {
// Of RoBERTa's vocabulary, and so of most Longformers.
constexpr int kPadTokenId = 1;
}  // namespace

int main(int argc, char** argv) {
  Longformer model;
  const int room = model.arg_feed_input_ids_count();
  const int tokens = argc - 1;
  if (tokens < 1 || tokens > room) {
    std::fprintf(stderr,
                 "The arguments must be 1 to %d ids. Received: %d. Give the "
                 "ids of one text.\n",
                 room, tokens);
    return 2;
  }
  int* ids = model.arg_feed_input_ids_data();
  int* mask = model.arg_feed_attention_mask_data();
  std::fill_n(ids, room, kPadTokenId);
  std::fill_n(mask, room, 0);
  for (int i = 0; i < tokens; ++i) {
    ids[i] = std::atoi(argv[1 + i]);
    mask[i] = 1;
  }
  if (!model.Run()) {
    std::fprintf(stderr, "The program failed.\n");
    return 1;
  }
  for (int i = 0; i < model.result0_count(); ++i) {
    std::printf("%.9g\n", model.result0_data()[i]);
  }
}
