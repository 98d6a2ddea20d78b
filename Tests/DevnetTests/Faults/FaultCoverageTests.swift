import Foundation
import Testing

@testable import Devnet

/// Proves that no fault is without a test: the faults are asked of the devnet itself, so that one that is added and has no
/// line in the table below fails here.
@Suite(.serialized) struct FaultCoverageTests {
  /// Each thing that can go wrong on demand, and the test that lets it: file and name.
  private static let tests: [String: (file: String, name: String)] = [
    "slots miss": ("SlotFaultTests", "missed slots stay empty, and the next block is so much later"),
    "slots silent": ("SlotFaultTests", "silent producers hold the solid block back, and it goes on when they are back"),
    "slots halted": ("SlotFaultTests", "a halted network makes blocks on demand only"),
    "slots solid_frozen": ("SlotFaultTests", "the solid head stands still while blocks go on, and then catches up"),
    "slots solid_view_lag": ("SlotFaultTests", "the solid view lies a block below the solid head"),
    "blocks count": ("SlotFaultTests", "a halted network makes blocks on demand only"),
    "fork depth": ("ForkTests", "a fork never undoes the solid block, and names only what it pops"),
    "fork length": ("ForkTests", "one word says what becomes of all, and in which order"),
    "fork transactions=repush": ("ForkTests", "one word says what becomes of all, and in which order"),
    "fork transactions=drop": ("ForkTests", "one word says what becomes of all, and in which order"),
    "fork transactions=include": ("ForkTests", "one word says what becomes of all, and in which order"),
    "fork reversed": ("ForkTests", "one word says what becomes of all, and in which order"),
    "fork order": ("ForkOrderTests", "a fork puts a block's transactions into any order"),
    "fork repush": ("FaultCoverageTests", "what a fork names keeps its own fate"),
    "fork drop": ("ForkTests", "a longer branch drops, changes, re-pushes what the losing one held"),
    "fork include": ("ForkTests", "a longer branch drops, changes, re-pushes what the losing one held"),
    "results result=REVERT": (
      "WorldTests", "a healthy transfer fails when it is packed, though it was pending in health"
    ),
    "results result=OUT_OF_ENERGY": (
      "WorldTests", "a healthy transfer fails when it is packed, though it was pending in health"
    ),
    "results result=OUT_OF_TIME": (
      "WorldTests", "a healthy transfer fails when it is packed, though it was pending in health"
    ),
    "results txid": ("WorldTests", "a failure meets only the transaction or the account it names"),
    "results owner": ("WorldTests", "a failure meets only the transaction or the account it names"),
    "results count": ("WorldTests", "a healthy transfer fails when it is packed, though it was pending in health"),
    "world propose": ("WorldTests", "a price changes at the next maintenance"),
    "world value": ("WorldTests", "a price changes at the next maintenance"),
    "world paused": ("WorldTests", "a paused token reverts every transfer"),
    "world blacklist": ("WorldTests", "an address on the blacklist cannot send, and still receives"),
    "world unblacklist": ("WorldTests", "an address on the blacklist cannot send, and still receives"),
    "world refuse": ("WorldTests", "a refused recipient's transfer reverts, and everybody else's does not"),
    "world unrefuse": ("WorldTests", "a refused recipient's transfer reverts, and everybody else's does not"),
    "world fee_rate": ("WorldTests", "the token's fee goes out of the amount"),
    "world fee_maximum": ("WorldTests", "the token's fee goes out of the amount"),
    "world account": ("WorldTests", "a wallet runs out of TRX, of tokens and of energy"),
    "world sun": ("WorldTests", "a wallet runs out of TRX, of tokens and of energy"),
    "world micro_usdt": ("WorldTests", "a wallet runs out of TRX, of tokens and of energy"),
    "world energy": ("WorldTests", "a wallet runs out of TRX, of tokens and of energy"),
    "faces face": ("FaceTests", "a stale face stands still and passes on what it is given"),
    "faces blocks": ("FaceTests", "heads go back and forth behind one face"),
    "faces sees=live": ("FaceTests", "a stale face stands still and passes on what it is given"),
    "faces sees=behind": ("FaceTests", "heads go back and forth behind one face"),
    "faces sees=stale": ("FaceTests", "a stale face stands still and passes on what it is given"),
    "faces sees=cut_off": ("FaceTests", "what is broadcast to a face that is cut off reaches nobody"),
    "faults delay-call": ("AnswerFaultTests", "an answer is late after its call was carried out, or before it is"),
    "faults delay-call milliseconds": (
      "AnswerFaultTests", "an answer is late after its call was carried out, or before it is"
    ),
    "faults delay-answer": ("AnswerFaultTests", "an answer is late after its call was carried out, or before it is"),
    "faults delay-answer milliseconds": (
      "AnswerFaultTests", "an answer is late after its call was carried out, or before it is"
    ),
    "faults break-connection": ("AnswerFaultTests", "the connection breaks before the transaction was read"),
    "faults lose-answer": ("AnswerFaultTests", "the answer is lost after the transaction was accepted"),
    "faults http-status": ("AnswerFaultTests", "a status comes with the body that TronGrid gives"),
    "faults http-status status": ("AnswerFaultTests", "a status comes with the body that TronGrid gives"),
    "faults node-error": ("AnswerFaultTests", "errors with status 200, a closed call and a light node's bare text"),
    "faults node-error text": (
      "AnswerFaultTests", "errors with status 200, a closed call and a light node's bare text"
    ),
    "faults light-node": ("AnswerFaultTests", "errors with status 200, a closed call and a light node's bare text"),
    "faults refuse": ("AnswerFaultTests", "a broadcast is refused with any code, and nothing is pending"),
    "faults refuse code": ("AnswerFaultTests", "a broadcast is refused with any code, and nothing is pending"),
    "faults refuse accepted": ("AnswerFaultTests", "P2P broadcast failed comes although the transaction is pending"),
    "faults refuse message": (
      "AnswerFaultTests", "a node says DUP of a transaction that nobody knows, with either message"
    ),
    "faults forget": ("AnswerFaultTests", "a transaction is accepted and silently dropped, and then accepted again"),
    "faults hide": ("LieTests", "a transaction in a block is unknown by its id"),
    "faults claim": ("LieTests", "one that reverted is told as paid"),
    "faults claim transaction": ("LieTests", "one that is in no block is told as paid, pending or by its bytes"),
    "faults claim block": ("LieTests", "one that is in no block is told as paid, pending or by its bytes"),
    "faults omit": ("LieTests", "a block's body lacks a transaction, or its receipts do"),
    "faults no-receipts": ("LieTests", "a block's body lacks a transaction, or its receipts do"),
    "faults no-receipts block": ("LieTests", "a block's body lacks a transaction, or its receipts do"),
    "faults wrong-body": (
      "LieTests", "a wrong body stands under the right header, in every call that shows blocks"
    ),
    "faults wrong-body block": (
      "LieTests", "a wrong body stands under the right header, in every call that shows blocks"
    ),
    "faults wrong-body of": (
      "LieTests", "a wrong body stands under the right header, in every call that shows blocks"
    ),
    "faults face": ("ControlTests", "a fault meets only the face, the call and the transaction it names"),
    "faults call": ("ControlTests", "a fault meets only the face, the call and the transaction it names"),
    "faults txid": ("ControlTests", "a fault meets only the face, the call and the transaction it names"),
    "faults count": ("ControlTests", "faults of one kind meet one request after the other"),
    "reset-faults": ("ControlTests", "one call takes back every fault, another a single one"),
    "reset-faults fault": ("ControlTests", "one call takes back every fault, another a single one"),
  ]

  /// What besides `/devnet` can go wrong on demand, by the environment or by a signal, as the design names it.
  private static let others: [String: (file: String, name: String)] = [
    "a restart with the chain kept": ("ChainFileTests", "the devnet program keeps its chain over a kill"),
    "a pool that is full": ("BroadcastTests", "a full pool is busy"),
    "a pool that forgets": ("PendingTests", "what is pending for more than a minute is dropped"),
    "a txid cache that is off or on": (
      "TransactionCacheTests", "with the cache on, a dropped transaction is a duplicate for an hour"
    ),
  ]

  /// Enough for each command and each fault that its fields are asked for.
  private static let enough: [String: String] = [
    "fork": #""depth":1,"#, "results": #""result":"REVERT","#, "faces": #""sees":"live","#,
    "world": #""propose":"getEnergyFee","value":1,"#, "delay-call": #""milliseconds":1,"#,
    "delay-answer": #""milliseconds":1,"#, "http-status": #""status":429,"#, "refuse": #""code":"SERVER_BUSY","#,
    "hide": #""txid":"\#(txid)","#, "omit": #""txid":"\#(txid)","#, "no-receipts": #""block":1,"#,
    "wrong-body": #""block":1,"of":0,"#,
  ]
  private static let txid = String(repeating: "ab", count: 32)

  /// The names between apostrophes after the word "expected", where a devnet says what it would have taken.
  private func expected(_ node: TestNode, _ command: String, _ body: String) async throws -> [String] {
    let answer = try await node.post("/devnet/\(command)", body)
    guard answer.status == 400, case .string(let sentence)? = answer.json["error"],
      let names = sentence.range(of: "; expected ")
    else { throw TestFailure(description: "\(command) \(body): \(answer.text)") }
    return sentence[names.upperBound...].matches(of: /'([^']+)'/).map { String($0.output.1) }
  }

  private func fields(_ node: TestNode, _ command: String, _ start: String = "") async throws -> [String] {
    try await expected(node, command, "{\(start)\"no-such-field\":1}")
  }

  /// Everything that a devnet takes, named as in the table.
  private func faults(of node: TestNode) async throws -> Set<String> {
    var all: Set<String> = []
    for command in ControlAPI.Command.allCases where command != .faults {
      let name = command.rawValue
      all.formUnion(try await fields(node, name, Self.enough[name] ?? "").map { "\(name) \($0)" })
    }
    // What has a name for each of its values is known by these.
    for (name, field) in [("fork", "transactions"), ("results", "result"), ("faces", "sees")] {
      let start = name == "fork" ? #""depth":1,"# : ""
      let values = try await expected(node, name, "{\(start)\"\(field)\":\"no-such-value\"}")
      #expect(!values.isEmpty && all.remove("\(name) \(field)") != nil)
      all.formUnion(values.map { "\(name) \(field)=\($0)" })
    }
    let transaction = Hex.encode(try await node.usdtTransfer(to: TestWallet.bob.address, 1).transaction.encoded)
    let scope: Set = ["face", "call", "txid", "count"]
    all.formUnion(scope.map { "faults \($0)" })
    for fault in try await expected(node, "faults", #"{"fault":"no-such-fault"}"#) {
      all.insert("faults \(fault)")
      let start = fault == "claim" ? #""transaction":"\#(transaction)","# : Self.enough[fault] ?? ""
      let own = Set(try await fields(node, "faults", #""fault":"\#(fault)",\#(start)"#))
      // A lie about a block is about no transaction.
      #expect(own.isSuperset(of: scope.union(["fault"]).subtracting(["txid"])), "\(fault): \(own)")
      all.formUnion(own.subtracting(scope.union(["fault"])).map { "faults \(fault) \($0)" })
    }
    all.insert("reset-faults")
    return all
  }

  @Test func `every fault that the devnet takes has a test, and the table names no other`() async throws {
    try await TestNode.run(producers: 3) { node in
      try await node.make(5)
      let found = try await faults(of: node)
      #expect(found.count > 60, "the reader finds no faults any more")
      #expect(
        found.subtracting(Self.tests.keys).isEmpty, "without a test: \(found.subtracting(Self.tests.keys).sorted())")
      #expect(Set(Self.tests.keys).subtracting(found).isEmpty, "\(Set(Self.tests.keys).subtracting(found).sorted())")
      // Asking has set nothing.
      #expect(try await node.state("faults") == .array([]))
    }
  }

  @Test func `each test that the table names exists and lets that fault happen`() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    for (fault, test) in Self.tests.merging(Self.others, uniquingKeysWith: { first, _ in first }) {
      let places = [folder, folder.deletingLastPathComponent()].map { $0.appendingPathComponent("\(test.file).swift") }
      let place = try #require(places.first { FileManager.default.fileExists(atPath: $0.path) }, "\(test.file)")
      let text = try String(contentsOf: place, encoding: .utf8)
      let function = try #require(text.range(of: "func `\(test.name)`"), "\(test.file): \(test.name)")
      guard Self.tests[fault] != nil, let word = fault.split(whereSeparator: { " =".contains($0) }).last else {
        continue
      }
      // Values of a table stand before the function, or further up in the file.
      let isWholeFile = fault.hasPrefix("results result=") || fault.hasPrefix("fork transactions=")
      let body = text[function.upperBound...]
      let end = body.range(of: "\n  @Test")?.lowerBound ?? body.endIndex
      #expect(
        (isWholeFile ? text[...] : body[..<end]).contains("\"\(word)\""), "\(fault): \(test.name) says nothing of it")
    }
  }

  @Test func `what a fork names keeps its own fate`() async throws {
    // "repush" beside a word that drops all others; a name that stands in two lists is refused.
    try await TestNode.run(producers: 5) { node in
      try await node.make(6)
      var all: [PreparedTransaction] = []
      for amount in UInt64(1)...3 {
        all.append(try await node.usdtTransfer(to: TestWallet.bob.address, amount))
        #expect(try await node.broadcast(all[all.count - 1]).json["code"] == .string("SUCCESS"))
      }
      try await node.make()
      let twice = try await node.post(
        "/devnet/fork", #"{"depth":1,"repush":["\#(all[1].id.hex)"],"drop":["\#(all[1].id.hex)"]}"#)
      #expect(twice.status == 400 && twice.text.contains("\(all[1].id.hex): the transaction is named twice"))
      let outcome = try await node.control(
        "fork", #"{"depth":1,"transactions":"drop","repush":["\#(all[1].id.hex)"]}"#)
      #expect(outcome["repushed"] == .array([all[1].jsonID]))
      #expect(outcome["dropped"] == .array([all[0].jsonID, all[2].jsonID]))
      try await node.make()
      #expect(try await node.ids(inBlock: 9) == [all[1].jsonID])
    }
  }
}
