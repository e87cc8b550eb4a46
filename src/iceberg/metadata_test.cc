#include "iceberg/metadata.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

#include "iceberg/testing/values.h"

namespace slipway::iceberg {
namespace {

using slipway::testing::GoldenCase;

class MetadataGolden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(MetadataGolden, ColumnsAndPartitionsArePyIcebergs) {
  auto metadata = ParseMetadata(GetParam().text("metadata"));
  ASSERT_TRUE(metadata) << metadata.error().message;
  EXPECT_EQ(metadata->format_version, GetParam().at("version").as_int64());
  EXPECT_EQ(metadata->location, "s3://bucket/warehouse/t");
  EXPECT_EQ(metadata->CurrentSnapshot(), nullptr);
  json::array columns, arrow, spec;
  for (const auto& field : metadata->schema.fields) {
    auto type = field.type.id == TypeId::kList ? "list<double>" : ToString(field.type);
    columns.push_back(json::array{field.id, field.name, field.required, type});
    auto of_arrow = ToArrow(field.type);
    arrow.push_back(of_arrow ? json::value((*of_arrow)->ToString()) : json::value(nullptr));
  }
  for (const auto& field : metadata->DefaultSpec().fields)
    spec.push_back(json::array{field.source_id, field.field_id, field.name, ToString(field.transform)});
  EXPECT_EQ(json::value(columns), GetParam().at("columns"));
  EXPECT_EQ(json::value(arrow), GetParam().at("arrow"));
  EXPECT_EQ(json::value(spec), GetParam().at("spec"));
}

TEST_P(MetadataGolden, SchemasAreWrittenAsPyIcebergWritesThem) {
  auto value = ParseJson(GetParam().text("metadata")).value();
  auto schema = value.at("schemas").at(0).as_object();
  json::array plain;  // structs and maps are carried along in the metadata itself
  for (const auto& field : schema.at("fields").as_array())
    if (!field.at("type").is_object() || field.at("type").at("type") == "list") plain.push_back(field);
  ASSERT_EQ(plain.size() + 2, schema.at("fields").as_array().size());
  schema["fields"] = plain;
  EXPECT_EQ(json::value(ToJson(ParseSchema(schema).value())), json::value(schema));
}

TEST_P(MetadataGolden, WhatIsNotKnownGoesThroughUnchanged) {
  auto text = GetParam().text("metadata");
  EXPECT_EQ(ParseJson(Serialize(ParseMetadata(text).value())).value(), ParseJson(text).value());
  auto value = ParseJson(text).value();
  value.as_object()["some-later-field"] = json::object{{"a", json::array{1, nullptr, "x"}}};
  auto metadata = ParseMetadata(json::serialize(value));
  ASSERT_TRUE(metadata) << metadata.error().message;
  Snapshot snapshot{.snapshot_id = 5, .sequence_number = 1, .timestamp_ms = 1706745600001, .manifest_list = "s3://l"};
  auto next = WithSnapshot(*metadata, "s3://old.json", snapshot);
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ(next->raw.at("some-later-field"), value.at("some-later-field"));
  EXPECT_EQ(next->raw.at("properties"), value.at("properties"));
  EXPECT_EQ(next->CurrentSnapshot()->manifest_list, "s3://l");
  EXPECT_EQ(next->raw.at("metadata-log").at(0).at("metadata-file").as_string(), "s3://old.json");
  EXPECT_EQ(next->raw.at("refs").at("main").at("snapshot-id"), 5);
}

INSTANTIATE_TEST_SUITE_P(PyIceberg, MetadataGolden,
                         ::testing::ValuesIn(slipway::testing::GoldenCases("iceberg/metadata.json")),
                         slipway::testing::CaseName);

json::object SomeMetadata() {
  return ParseJson(slipway::testing::GoldenCases("iceberg/metadata.json")[1].text("metadata")).value().as_object();
}

TEST(ParseMetadata, LaterVersionsAreRefusedByNumber) {
  auto object = SomeMetadata();
  object["format-version"] = 3;
  auto metadata = ParseMetadata(json::serialize(object));
  ASSERT_FALSE(metadata);
  EXPECT_EQ(metadata.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(metadata.error().message.find('3'), std::string::npos) << metadata.error().message;
}

TEST(ParseMetadata, DamageIsKnown) {
  for (const auto* text : {"", "null", "[]", "{", "{\"format-version\": 2}", "{\"format-version\": \"2\"}"})
    EXPECT_FALSE(ParseMetadata(text)) << text;
  for (const auto* key : {"location", "current-schema-id", "default-spec-id"}) {
    auto object = SomeMetadata();
    object.erase(key);
    EXPECT_FALSE(ParseMetadata(json::serialize(object))) << "without " << key;
  }
  auto object = SomeMetadata();
  object["current-schema-id"] = 17;
  EXPECT_FALSE(ParseMetadata(json::serialize(object)));
  object = SomeMetadata();
  object["default-spec-id"] = 17;
  EXPECT_FALSE(ParseMetadata(json::serialize(object)));
}

TEST(ParseMetadata, TypesOfVersion3AreRefusedByName) {
  for (const auto* type : {"timestamp_ns", "variant", "geometry(srid:4326)", "unknown", "decimal(39, 2)", "fixed[0]"}) {
    json::object field{{"id", 1}, {"name", "v"}, {"required", false}, {"type", type}};
    auto schema = ParseSchema(json::object{{"type", "struct"}, {"fields", json::array{field}}});
    ASSERT_FALSE(schema) << type;
    EXPECT_EQ(schema.error().kind, ErrorKind::kUnsupported);
    EXPECT_NE(schema.error().message.find(type), std::string::npos) << schema.error().message;
  }
}

/// The metadata log keeps a hundred files, and the current snapshot is the main branch's.
TEST(WithSnapshot, TheMetadataLogKeepsAHundred) {
  auto metadata = ParseMetadata(json::serialize(SomeMetadata())).value();
  for (int i = 1; i <= 120; ++i) {
    auto location = "s3://" + std::to_string(i);
    metadata = WithSnapshot(metadata, location, {.snapshot_id = i, .sequence_number = i, .timestamp_ms = i}).value();
  }
  const auto& log = metadata.raw.at("metadata-log").as_array();
  EXPECT_EQ(log.size(), 100);
  EXPECT_EQ(log.front().at("metadata-file").as_string(), "s3://21");
  EXPECT_EQ(metadata.CurrentSnapshot()->snapshot_id, 120);
  EXPECT_EQ(metadata.last_sequence_number, 120);
  EXPECT_EQ(metadata.snapshots.size(), 120);
}

TEST(FindRun, TheRunIdIsInTheSummary) {
  auto metadata = ParseMetadata(json::serialize(SomeMetadata())).value();
  Snapshot mine{.snapshot_id = 8, .sequence_number = 1, .timestamp_ms = 5};
  mine.summary = {{"operation", "append"}, {std::string(kRunIdProperty), "run-1"}};
  metadata = WithSnapshot(metadata, "", mine).value();
  metadata = WithSnapshot(metadata, "", {.snapshot_id = 9, .sequence_number = 2, .timestamp_ms = 6}).value();
  ASSERT_NE(metadata.FindRun("run-1"), nullptr);
  EXPECT_EQ(metadata.FindRun("run-1")->snapshot_id, 8);
  EXPECT_EQ(metadata.FindRun("run-2"), nullptr);
  EXPECT_EQ(metadata.FindRun(""), nullptr);
}

}  // namespace
}  // namespace slipway::iceberg
