// Loops and conditionals by calls.
#include "api/network.h"

using namespace nvinfer1;

namespace {

class Control : public Network {
 protected:
  ITensor* sum(ITensor* a, ITensor* b) {
    return network->addElementWise(*a, *b, ElementWiseOperation::kSUM)->getOutput(0);
  }
};

TEST_F(Control, CountedLoopCarriesAndStacks) {
  ITensor* x = input("x", Dims2{1, 2});
  ILoop* loop = network->addLoop();
  ASSERT_TRUE(loop);
  loop->setName("powers");
  loop->addTripLimit(*int_constant(Dims{0, {}}, {3}), TripLimit::kCOUNT);
  IRecurrenceLayer* state = loop->addRecurrence(*x);
  EXPECT_EQ(state->getLoop(), loop);
  ITensor* doubled = sum(state->getOutput(0), state->getOutput(0));
  expect_dims(*doubled, {1, 2});
  state->setInput(1, *doubled);
  ITensor* last = loop->addLoopOutput(*state->getOutput(0), LoopOutput::kLAST_VALUE)->getOutput(0);
  ITensor* all = loop->addLoopOutput(*state->getOutput(0), LoopOutput::kCONCATENATE, 0)->getOutput(0);
  ITensor* back = loop->addLoopOutput(*doubled, LoopOutput::kREVERSE, 1)->getOutput(0);
  expect_dims(*all, {3, 1, 2});
  expect_dims(*back, {1, 3, 2});
  auto* flat = network->addShuffle(*all);
  flat->setReshapeDimensions(Dims2{3, 2});
  auto* flat_back = network->addShuffle(*back);
  flat_back->setReshapeDimensions(Dims2{3, 2});
  ITensor* parts[] = {last, flat->getOutput(0), flat_back->getOutput(0)};
  auto* joined = network->addConcatenation(parts, 3);
  joined->setAxis(0);
  near(result(joined->getOutput(0), {{1, 10}}), {8, 80, 1, 10, 2, 20, 4, 40, 8, 80, 4, 40, 2, 20});
}

TEST_F(Control, WhileLoopTestsBeforeEachIteration) {
  ITensor* x = input("x", Dims{0, {}});
  ILoop* loop = network->addLoop();
  IRecurrenceLayer* state = loop->addRecurrence(*x);
  auto* small =
      network->addElementWise(*state->getOutput(0), *constant(Dims{0, {}}, {100}), ElementWiseOperation::kLESS);
  loop->addTripLimit(*small->getOutput(0), TripLimit::kWHILE);
  auto* doubled =
      network->addElementWise(*state->getOutput(0), *constant(Dims{0, {}}, {2}), ElementWiseOperation::kPROD);
  state->setInput(1, *doubled->getOutput(0));
  auto* last = loop->addLoopOutput(*state->getOutput(0), LoopOutput::kLAST_VALUE);
  last->getOutput(0)->setName("y");
  network->markOutput(*last->getOutput(0));
  const auto engine = build();
  ASSERT_TRUE(engine);
  EXPECT_EQ(run(*engine, {{7}}), std::vector<float>{112});
  EXPECT_EQ(run(*engine, {{100}}), std::vector<float>{100});  // no iteration
}

TEST_F(Control, WhileLoopFillsUpToItsLength) {
  ITensor* x = input("x", Dims{0, {}});
  ILoop* loop = network->addLoop();
  IRecurrenceLayer* state = loop->addRecurrence(*x);
  auto* small =
      network->addElementWise(*state->getOutput(0), *constant(Dims{0, {}}, {100}), ElementWiseOperation::kLESS);
  loop->addTripLimit(*small->getOutput(0), TripLimit::kWHILE);
  auto* tenfold =
      network->addElementWise(*state->getOutput(0), *constant(Dims{0, {}}, {10}), ElementWiseOperation::kPROD);
  state->setInput(1, *tenfold->getOutput(0));
  auto* all = loop->addLoopOutput(*state->getOutput(0), LoopOutput::kCONCATENATE);
  all->setInput(1, *int_constant(Dims{0, {}}, {4}));
  expect_dims(*all->getOutput(0), {4});
  near(result(all->getOutput(0), {{1}}), {1, 10, 0, 0});
}

TEST_F(Control, IteratorsInBothDirections) {
  ITensor* x = input("x", Dims2{2, 3});
  ILoop* loop = network->addLoop();
  loop->addTripLimit(*int_constant(Dims{0, {}}, {3}), TripLimit::kCOUNT);
  IIteratorLayer* forwards = loop->addIterator(*x, 1);
  IIteratorLayer* backwards = loop->addIterator(*x, 1, true);
  EXPECT_TRUE(backwards->getReverse());
  expect_dims(*forwards->getOutput(0), {2});
  IRecurrenceLayer* state = loop->addRecurrence(*constant(Dims{1, {2}}, {0, 0}));
  auto* product =
      network->addElementWise(*forwards->getOutput(0), *backwards->getOutput(0), ElementWiseOperation::kPROD);
  state->setInput(1, *sum(state->getOutput(0), product->getOutput(0)));
  // 1*3 + 2*2 + 3*1 and 4*6 + 5*5 + 6*4.
  near(result(loop->addLoopOutput(*state->getOutput(0), LoopOutput::kLAST_VALUE)->getOutput(0), {{1, 2, 3, 4, 5, 6}}),
       {10, 73});
}

TEST_F(Control, LoopsInsideLoopsSeeWhatIsAround) {
  ITensor* x = input("x", Dims{1, {2}});
  ILoop* outer = network->addLoop();
  outer->addTripLimit(*int_constant(Dims{0, {}}, {2}), TripLimit::kCOUNT);
  IRecurrenceLayer* total = outer->addRecurrence(*x);
  ILoop* inner = network->addLoop();
  inner->addTripLimit(*int_constant(Dims{0, {}}, {3}), TripLimit::kCOUNT);
  IRecurrenceLayer* part = inner->addRecurrence(*total->getOutput(0));
  // x is outside both, total inside the outer one.
  part->setInput(1, *sum(part->getOutput(0), sum(x, total->getOutput(0))));
  ITensor* grown = inner->addLoopOutput(*part->getOutput(0), LoopOutput::kLAST_VALUE)->getOutput(0);
  total->setInput(1, *grown);
  // total becomes total + 3 (x + total): x=1: 1, 7, 31.
  near(result(outer->addLoopOutput(*total->getOutput(0), LoopOutput::kLAST_VALUE)->getOutput(0), {{1, 2}}), {31, 62});
}

TEST_F(Control, LoopOfDynamicShape) {
  ITensor* x = input("x", Dims2{-1, 2});
  ILoop* loop = network->addLoop();
  auto* dims = network->addShape(*x);
  auto* rows = network->addSlice(*dims->getOutput(0), Dims{1, {0}}, Dims{1, {1}}, Dims{1, {1}});
  auto* count = network->addShuffle(*rows->getOutput(0));
  count->setReshapeDimensions(Dims{0, {}});
  loop->addTripLimit(*count->getOutput(0), TripLimit::kCOUNT);
  IIteratorLayer* row = loop->addIterator(*x);
  IRecurrenceLayer* state = loop->addRecurrence(*constant(Dims{1, {2}}, {0, 0}));
  ITensor* running = sum(state->getOutput(0), row->getOutput(0));
  state->setInput(1, *running);
  ITensor* all = loop->addLoopOutput(*running, LoopOutput::kCONCATENATE)->getOutput(0);
  all->setName("y");
  network->markOutput(*all);
  IOptimizationProfile* profile = builder->createOptimizationProfile();
  for (auto [select, n] :
       {std::pair{OptProfileSelector::kMIN, 1}, {OptProfileSelector::kOPT, 2}, {OptProfileSelector::kMAX, 4}})
    profile->setDimensions("x", select, Dims2{n, 2});
  config->addOptimizationProfile(profile);
  const auto engine = build();
  ASSERT_TRUE(engine);
  Owned<IExecutionContext> context(engine->createExecutionContext());
  ASSERT_TRUE(context->setInputShape("x", Dims2{3, 2}));
  EXPECT_EQ(context->getTensorShape("y").d[0], 3) << logger.errors;
  const OnDevice<float> in({1, 2, 3, 4, 5, 6}), out(6);
  void* bindings[] = {in.data(), out.data()};
  ASSERT_TRUE(context->executeV2(bindings)) << logger.errors;
  EXPECT_EQ(out.get(), (std::vector<float>{1, 2, 4, 6, 9, 12}));
}

TEST_F(Control, ConditionalTakesOneBranch) {
  ITensor *x = input("x", Dims2{1, 2}), *flag = input("flag", Dims{0, {}});
  auto* positive = network->addElementWise(*flag, *constant(Dims{0, {}}, {0}), ElementWiseOperation::kGREATER);
  IIfConditional* choice = network->addIfConditional();
  ASSERT_TRUE(choice);
  EXPECT_TRUE(choice->setCondition(*positive->getOutput(0)));
  IIfConditionalInputLayer* in = choice->addInput(*x);
  EXPECT_EQ(in->getConditional(), choice);
  ITensor* twice = sum(in->getOutput(0), in->getOutput(0));
  ITensor* negative = network->addUnary(*in->getOutput(0), UnaryOperation::kNEG)->getOutput(0);
  ITensor* y = choice->addOutput(*twice, *negative)->getOutput(0);
  expect_dims(*y, {1, 2});
  y->setName("y");
  network->markOutput(*y);
  const auto engine = build();
  ASSERT_TRUE(engine);
  EXPECT_EQ(run(*engine, {{1, 2}, {1}}), (std::vector<float>{2, 4}));
  EXPECT_EQ(run(*engine, {{1, 2}, {-1}}), (std::vector<float>{-1, -2}));
}

TEST_F(Control, ConditionalInsideALoop) {
  ITensor* x = input("x", Dims{0, {}});
  ILoop* loop = network->addLoop();
  loop->addTripLimit(*int_constant(Dims{0, {}}, {5}), TripLimit::kCOUNT);
  IRecurrenceLayer* state = loop->addRecurrence(*x);
  auto* large =
      network->addElementWise(*state->getOutput(0), *constant(Dims{0, {}}, {10}), ElementWiseOperation::kGREATER);
  IIfConditional* choice = network->addIfConditional();
  choice->setCondition(*large->getOutput(0));
  ITensor* inside = choice->addInput(*state->getOutput(0))->getOutput(0);
  ITensor* less = sum(inside, constant(Dims{0, {}}, {-7}));
  ITensor* more = sum(inside, constant(Dims{0, {}}, {4}));
  state->setInput(1, *choice->addOutput(*less, *more)->getOutput(0));
  // 3 7 11 4 8 12.
  near(result(loop->addLoopOutput(*state->getOutput(0), LoopOutput::kLAST_VALUE)->getOutput(0), {{3}}), {12});
}

TEST_F(Control, IncompleteOnesAreRefusedByName) {
  ITensor* x = input("x", Dims{0, {}});
  ILoop* endless = network->addLoop();
  IRecurrenceLayer* state = endless->addRecurrence(*x);
  ITensor* last = endless->addLoopOutput(*state->getOutput(0), LoopOutput::kLAST_VALUE)->getOutput(0);
  network->markOutput(*last);
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("never ends"), std::string::npos) << logger.errors;
  endless->addTripLimit(*int_constant(Dims{0, {}}, {2}), TripLimit::kCOUNT);
  EXPECT_FALSE(endless->addTripLimit(*int_constant(Dims{0, {}}, {2}), TripLimit::kCOUNT));
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("no value for the next iteration"), std::string::npos) << logger.errors;
  state->setInput(1, *network->addCast(*state->getOutput(0), DataType::kINT32)->getOutput(0));
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("goes on as int32"), std::string::npos) << logger.errors;
  state->setInput(1, *sum(state->getOutput(0), x));
  EXPECT_TRUE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config))) << logger.errors;
}

TEST_F(Control, TheInsideIsNotUsedOutside) {
  ITensor* x = input("x", Dims{0, {}});
  ILoop* loop = network->addLoop();
  loop->addTripLimit(*int_constant(Dims{0, {}}, {2}), TripLimit::kCOUNT);
  IRecurrenceLayer* state = loop->addRecurrence(*x);
  ITensor* doubled = sum(state->getOutput(0), state->getOutput(0));
  state->setInput(1, *doubled);
  network->markOutput(*doubled);
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("used outside"), std::string::npos) << logger.errors;
}

TEST_F(Control, CyclesThroughALoopAreRefused) {
  ITensor* x = input("x", Dims{0, {}});
  ILoop* loop = network->addLoop();
  loop->addTripLimit(*int_constant(Dims{0, {}}, {2}), TripLimit::kCOUNT);
  IRecurrenceLayer* state = loop->addRecurrence(*x);
  state->setInput(1, *sum(state->getOutput(0), x));
  ITensor* last = loop->addLoopOutput(*state->getOutput(0), LoopOutput::kLAST_VALUE)->getOutput(0);
  state->setInput(0, *sum(last, x));
  network->markOutput(*last);
  EXPECT_FALSE(Owned<IHostMemory>(builder->buildSerializedNetwork(*network, *config)));
  EXPECT_NE(logger.errors.find("cycle"), std::string::npos) << logger.errors;
}

}  // namespace
