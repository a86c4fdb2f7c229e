// Times a program compiled ahead of time; see compiled.py.
//
// Usage: compiled ROUNDS
//
// Reads a row of int32 ids for each round, and writes float32: the seconds
// that it took, and its logits.

#define EIGEN_USE_THREADS

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "longformer.h"

int main(int argc, char** argv) {
  const int threads = std::thread::hardware_concurrency();
  Eigen::ThreadPool pool(threads);
  Eigen::ThreadPoolDevice device(&pool, threads);
  Longformer model;
  model.set_thread_pool(&device);
  const int tokens = model.arg_feed_input_ids_count();
  std::fill_n(model.arg_feed_attention_mask_data(), tokens, 1);
  for (int round = std::atoi(argv[1]); round > 0; --round) {
    if (std::fread(model.arg_feed_input_ids_data(), sizeof(int), tokens,
                   stdin) != static_cast<size_t>(tokens)) {
      return 2;
    }
    const auto start = std::chrono::steady_clock::now();
    if (!model.Run()) return 1;
    const std::chrono::duration<float> taken =
        std::chrono::steady_clock::now() - start;
    const float seconds = taken.count();
    std::fwrite(&seconds, sizeof(float), 1, stdout);
    std::fwrite(model.result0_data(), sizeof(float), model.result0_count(),
                stdout);
    std::fflush(stdout);
  }
}
