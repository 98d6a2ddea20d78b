import Testing

@testable import Devnet

/// Proves several faces of one network: behind, stale, cut off, back and forth (tron-protocol.md §2.1, §3.4, §9).
@Suite(.serialized) struct FaceTests {
  private let bob = TestWallet.bob.address

  @Test func `every face shows the one chain, and takes transactions for it`() async throws {
    try await TestNode.run(faces: 3) { node in
      #expect(Set(node.urls).count == 3)
      let prepared = try await node.include(try await node.face(2).usdtTransfer(to: bob, 1))
      let other = try await node.face(3).usdtTransfer(to: bob, 2)
      #expect(try await node.face(3).broadcast(other).json["code"] == .string("SUCCESS"))
      for face in 1...3 {
        #expect(try await node.face(face).headNumber() == 1)
        #expect(try await node.face(face).info(prepared)["blockNumber"] == .integer(1))
        #expect(try await node.face(face).isPending(other))
      }
    }
  }

  /// A lagging node knows no reference newer than its head; what it does know it passes on.
  @Test func `a face that is behind answers TAPOS_ERROR, {} and an older solid block`() async throws {
    try await TestNode.run(producers: 3, faces: 2) { node in
      try await node.make(8)
      let prepared = try await node.include(try await node.usdtTransfer(to: bob, 9))
      try await node.control("faces", #"{"face":2,"sees":"behind","blocks":[3]}"#)
      let behind = node.face(2)
      #expect(try await behind.headNumber() == 6)
      #expect(try await node.headNumber() == 9)
      #expect(try await behind.headNumber("walletsolidity") == 4)
      #expect(try await node.headNumber("walletsolidity") == 7)
      #expect(try await behind.info(prepared) == TestNode.nothing)
      #expect(try await behind.block(9) == TestNode.nothing)
      // It knows by gossip what the missing block holds, unless it refers to what is missing too.
      #expect(try await behind.transaction(prepared) == TestNode.nothing)
      let tooNew = try await node.usdtTransfer(to: bob, 1)
      #expect(try await behind.broadcast(tooNew).json["code"] == .string("TAPOS_ERROR"))
      let known = try await behind.usdtTransfer(to: bob, 2)
      #expect(try await behind.broadcast(known).json["code"] == .string("SUCCESS"))
      #expect(try await node.isPending(known))
      #expect(try await behind.isPending(known))
      try await node.make()
      #expect(try await node.info(known)["blockNumber"] == .integer(10))
      #expect(try await behind.info(known) == TestNode.nothing)
      #expect(try await behind.isPending(known))
      try await node.make(3)
      #expect(try await behind.info(known)["blockNumber"] == .integer(10))
    }
  }

  @Test func `heads go back and forth behind one face`() async throws {
    try await TestNode.run(faces: 2) { node in
      try await node.make(5)
      try await node.control("faces", #"{"face":1,"sees":"behind","blocks":[0,2,1,9]}"#)
      var heads: [Int64] = []
      for _ in 0..<6 { heads.append(try await node.headNumber()) }
      #expect(heads == [5, 3, 4, 0, 5, 3])
      #expect(try await node.face(2).headNumber() == 5)
    }
  }

  @Test func `a stale face stands still and passes on what it is given`() async throws {
    try await TestNode.run(faces: 2) { node in
      try await node.make(2)
      try await node.control("faces", #"{"face":2,"sees":"stale"}"#)
      let prepared = try await node.face(2).usdtTransfer(to: bob, 1)
      #expect(try await node.face(2).broadcast(prepared).json["code"] == .string("SUCCESS"))
      try await node.make(3)
      #expect(try await node.info(prepared)["blockNumber"] == .integer(3))
      #expect(try await node.face(2).headNumber() == 2)
      #expect(try await node.face(2).isPending(prepared))
      #expect(try await node.face(2).broadcast(prepared).json["message"] == .string("Dup transaction."))
      try await node.control("faces", #"{"sees":"live"}"#)
      #expect(try await node.face(2).headNumber() == 5)
    }
  }

  @Test func `what is broadcast to a face that is cut off reaches nobody`() async throws {
    try await TestNode.run(faces: 2) { node in
      try await node.make(2)
      try await node.control("faces", #"{"face":2,"sees":"cut_off"}"#)
      let prepared = try await node.face(2).usdtTransfer(to: bob, 1)
      #expect(try await node.face(2).broadcast(prepared).json["code"] == .string("SUCCESS"))
      #expect(try await node.face(2).isPending(prepared))
      #expect(try await !node.isPending(prepared))
      try await node.make()
      #expect(try await node.transaction(prepared) == TestNode.nothing)
      try await node.control("reset-faults")
      #expect(try await node.face(2).transaction(prepared) == TestNode.nothing)
      #expect(try await node.face(2).headNumber() == 3)
    }
  }

  @Test func `a fault of one face leaves the other in health`() async throws {
    try await TestNode.run(faces: 2) { node in
      try await node.control("faults", #"{"fault":"refuse","code":"SERVER_BUSY","face":2}"#)
      let prepared = try await node.usdtTransfer(to: bob, 1)
      #expect(try await node.face(2).broadcast(prepared).json["code"] == .string("SERVER_BUSY"))
      #expect(try await node.face(1).broadcast(prepared).json["code"] == .string("SUCCESS"))
    }
  }
}
