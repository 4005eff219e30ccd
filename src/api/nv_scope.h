// A graph under construction: which tensors of the network are in it. Bodies of loops and branches are scopes inside a scope.
#pragma once
#include <map>
#include <set>

#include "api/nv_layer.h"

namespace kiln::api {

// The graph of a body, and what it takes from outside.
struct Body {
  std::unique_ptr<ir::Graph> graph = std::make_unique<ir::Graph>();
  std::vector<ir::Value*> captured;        // outer values; one input of the graph each, in order
  std::map<ir::Value*, ir::Value*> twins;  // outer value: its twin inside
  ir::Value* bring(ir::Value* outer);      // the twin, made when there is none
};

class Scope {
 public:
  // The network itself. A question may look inside loops and branches: there it gets values of the right type and shape.
  Scope(ir::Graph& graph, bool question) : graph_(graph), question_(question), shared_(std::make_shared<Shared>()) {}
  // The inside of a construct; without a body, in the graph of `outer`.
  Scope(Scope& outer, const Construct& construct, Body* body);

  ir::Graph& graph() const { return graph_; }
  ir::Value* value(const TensorImpl& tensor);  // lowers what it depends on; throws Error
  void define(const TensorImpl& tensor, ir::Value* value) { values_[&tensor] = value; }
  bool knows(const TensorImpl& tensor) const { return values_.count(&tensor) > 0; }
  // This or a scope inside it holds the layer.
  bool lowered(const LayerCore& layer) const { return shared_->lowered.count(&layer) > 0; }
  ir::Value* outer_value(const TensorImpl& tensor);  // from outside, as the inside sees it

 private:
  struct Shared {
    std::set<const void*> running;  // layers and constructs that wait for their inputs
    std::set<const LayerCore*> lowered;
  };
  void find_inside(const Construct& construct);
  void lower_layer(LayerCore& layer);
  void lower_construct(LayerCore& layer);

  ir::Graph& graph_;
  bool question_ = false;
  std::shared_ptr<Shared> shared_;
  Scope* outer_ = nullptr;
  Body* body_ = nullptr;
  std::set<const LayerCore*> inside_;
  std::map<const TensorImpl*, ir::Value*> values_;
};

// A layer at the boundary of a construct, which it knows.
template <class Interface, nvinfer1::LayerType kType, class Owner>
class BoundaryLayer : public Layer<Interface, kType> {
 public:
  BoundaryLayer(Owner& owner, Boundary where) : owner_(owner) {
    this->construct = &owner;
    this->boundary = where;
  }

 protected:
  Owner& owner_;
};

}  // namespace kiln::api
