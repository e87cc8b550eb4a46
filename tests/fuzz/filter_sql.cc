#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/compute/initialize.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "expression/filter.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto ready = arrow::compute::Initialize().ok();
  static const auto schema = arrow::schema({arrow::field("a", arrow::int64()), arrow::field("b", arrow::float64()),
                                            arrow::field("c", arrow::utf8()), arrow::field("d", arrow::date32()),
                                            arrow::field("t", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                                            arrow::field("e", arrow::boolean())});
  if (!ready) return 0;
  auto filter =
      slipway::expression::Filter::Parse({reinterpret_cast<const char*>(data), size}, *schema, slipway::Timestamp{});
  if (!filter) return 0;
  arrow::ArrayVector columns;
  for (const auto& field : schema->fields()) columns.push_back(arrow::MakeArrayOfNull(field->type(), 3).ValueOrDie());
  (void)filter->Evaluate(*arrow::RecordBatch::Make(schema, 3, std::move(columns)));
  return 0;
}
