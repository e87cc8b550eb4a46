#include "scoring/loaded_models.h"

#include <algorithm>

namespace slipway::scoring {

Result<std::shared_ptr<const model::Model>> LoadedModels::Load(registry::Registry& registry,
                                                               registry::ModelVersion& version) {
  auto same = [&](const Kept& kept) { return kept.version.key == version.key && kept.version.name == version.name; };
  {
    std::lock_guard lock(mutex_);
    if (auto found = std::ranges::find_if(kept_, same); found != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, found);
      version.digest = found->version.digest;
      return found->model;
    }
  }
  TRY(registry.Fetch(version));
  ASSIGN(auto loaded, model::LoadModel(version.folder, python_));
  std::shared_ptr<const model::Model> model = std::move(loaded);
  std::lock_guard lock(mutex_);
  kept_.remove_if(same);
  kept_.push_front({version, model});
  if (!model->needs_files()) kept_.front().version.hold.reset();
  if (kept_.size() > most_) kept_.pop_back();
  return model;
}

}  // namespace slipway::scoring
