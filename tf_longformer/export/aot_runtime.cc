// What a program compiled ahead of time needs and TensorFlow's wheel doesn't
// have: the base class of the generated `Longformer`. All else is in the
// wheel's libtensorflow_cc and libtensorflow_framework.
//
// The class is declared in TensorFlow's header, where its comments say what
// each method does.

#if !__has_include("tensorflow/compiler/tf2xla/encoded_buffer_allocation_info.h")
#error "Link with the headers of the TensorFlow that wrote longformer.h, 2.21 or newer: add -I and the folder of tensorflow.sysconfig.get_include()."
#endif

#include "absl/types/span.h"
#include "tensorflow/compiler/tf2xla/allocator.h"
#include "tensorflow/compiler/tf2xla/xla_compiled_cpu_function.h"

namespace tensorflow {
namespace {

// Names end with a null pointer.
int Find(const char* const* names, absl::string_view name) {
  for (int i = 0; names != nullptr && names[i] != nullptr; ++i) {
    if (name == names[i]) return i;
  }
  return -1;
}

const char* At(const char* const* names, int index, int count) {
  if (names == nullptr || index < 0 || index >= count) return nullptr;
  return names[index];
}

}  // namespace

XlaCompiledCpuFunction::XlaCompiledCpuFunction(const StaticData& data,
                                               AllocMode alloc_mode)
    : function_library_symbol_map_(&data.function_library_symbol_map_),
      temp_allocation_index_(data.temp_allocation_index_),
      thunk_run_impl_(data.thunk_run_impl_),
      result_index_(data.result_index_),
      buffer_table_(new void*[data.num_buffers_]),
      buffer_infos_(data.buffer_infos_),
      num_buffers_(data.num_buffers_),
      num_results_(data.num_results_),
      result_index_table_(data.result_index_table_),
      arg_index_table_(data.arg_index_table_),
      num_args_(data.num_args_),
      num_variables_(data.num_variables_),
      arg_shape_infos_(data.arg_shape_infos_),
      result_shape_infos_(data.result_shape_infos_),
      arg_names_(data.arg_names_),
      variable_names_(data.variable_names_),
      result_names_(data.result_names_),
      program_shape_(data.program_shape_) {
  alloc_buffer_table_ = MallocContiguousBuffers(
      absl::MakeConstSpan(buffer_infos_, num_buffers_),
      alloc_mode == AllocMode::ARGS_VARIABLES_RESULTS_PROFILES_AND_TEMPS,
      buffer_table_, /*annotate_initialized=*/true);
  // The weights lie in the object files, in the order of their buffers.
  auto constant = data.embedded_constant_buffers_.begin();
  for (int i = 0; i < num_buffers_; ++i) {
    if (buffer_infos_[i].is_constant()) {
      buffer_table_[i] = (constant++)->second;
    }
  }
}

XlaCompiledCpuFunction::~XlaCompiledCpuFunction() {
  FreeContiguous(alloc_buffer_table_);
  delete[] buffer_table_;
}

bool XlaCompiledCpuFunction::Run() {
  return thunk_run_impl_(buffer_table_, &run_options_, rng_states_);
}

int XlaCompiledCpuFunction::LookupArgIndex(const std::string& name) const {
  return Find(arg_names_, name);
}

int XlaCompiledCpuFunction::LookupVariableIndex(absl::string_view name) const {
  return Find(variable_names_, name);
}

int XlaCompiledCpuFunction::LookupResultIndex(const std::string& name) const {
  return Find(result_names_, name);
}

const char* XlaCompiledCpuFunction::GetArgName(int index) const {
  return At(arg_names_, index, num_args_);
}

const char* XlaCompiledCpuFunction::GetVariableName(int index) const {
  return At(variable_names_, index, num_variables_);
}

const char* XlaCompiledCpuFunction::GetResultName(int index) const {
  return At(result_names_, index, num_results_);
}

}  // namespace tensorflow
