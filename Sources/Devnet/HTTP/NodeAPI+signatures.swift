extension NodeAPI {
  /// getsignweight: how far a transaction's signatures reach; ENOUGH_PERMISSION and SUCCESS are defaults, hence absent.
  func signWeight(_ request: NodeRequest) async throws(NodeError) -> JSON {
    let prepared = PreparedTransaction(try TransactionReading.read(request.object))
    let rendering = request.rendering
    var answer = JSONObject()
    var result = JSONObject()
    switch await weigh(prepared) {
    case .success(let weighing):
      answer.set("permission", rendering.permission(weighing.permission))
      answer.set("approved_list", list: weighing.signers.map { .string(rendering.address($0.bytes)) })
      answer.set("current_weight", integer: weighing.weight)
      if weighing.weight < weighing.permission.threshold { result = ["code": .string("NOT_ENOUGH_PERMISSION")] }
    case .failure(let failure):
      if let permission = failure.permission { answer.set("permission", rendering.permission(permission)) }
      result = failure.result
    }
    answer.set("result", .object(result))
    answer.set("transaction", rendering.extended(prepared))
    return .object(answer)
  }

  /// getapprovedlist: who signed. Fails as a whole on any signature that is not of the permission (4.8.2 on).
  func approvedList(_ request: NodeRequest) async throws(NodeError) -> JSON {
    let prepared = PreparedTransaction(try TransactionReading.read(request.object))
    let rendering = request.rendering
    var answer = JSONObject()
    switch await weigh(prepared) {
    case .success(let weighing):
      answer.set("result", .object(JSONObject()))
      answer.set("approved_list", list: weighing.signers.map { .string(rendering.address($0.bytes)) })
    case .failure(let failure): answer.set("result", .object(failure.result))
    }
    answer.set("transaction", rendering.extended(prepared))
    return .object(answer)
  }

  /// What signatures weigh under the permission that a transaction names.
  private struct Weighing {
    let permission: Permission
    let weight: Int64
    let signers: [Address]
  }

  private struct WeighingFailure: Error {
    var permission: Permission?
    let code: String
    let text: String

    var result: JSONObject { ["code": .string(code), "message": .string(text)] }
  }

  private func weigh(_ prepared: PreparedTransaction) async -> Result<Weighing, WeighingFailure> {
    let permissions = await host.withChain { chain in
      Address(prepared.ownerBytes).flatMap { chain.account($0, in: .head) }.map { _ in
        chain.permissions(of: prepared.ownerBytes, in: .head)
      }
    }
    guard let permissions else {
      return .failure(WeighingFailure(code: "PERMISSION_ERROR", text: "Account does not exist!"))
    }
    guard let permission = permissions[prepared.permissionID] else {
      return .failure(WeighingFailure(code: "PERMISSION_ERROR", text: "Permission for this, does not exist!"))
    }
    guard let type = prepared.transaction.raw.contracts.first?.type, permission.allows(type) else {
      return .failure(
        WeighingFailure(permission: permission, code: "PERMISSION_ERROR", text: "Permission denied!"))
    }
    do {
      let weight = try permission.weight(of: prepared)
      let signers = prepared.signers.compactMap { try? $0.get() }
      return .success(Weighing(permission: permission, weight: weight, signers: signers))
    } catch {
      let code = error.kind == .format ? "SIGNATURE_FORMAT_ERROR" : "PERMISSION_ERROR"
      return .failure(WeighingFailure(permission: permission, code: code, text: error.text))
    }
  }
}

extension Rendering {
  /// `TransactionExtention`: a transaction with its id beside it.
  fileprivate func extended(_ prepared: PreparedTransaction) -> JSON {
    .object([
      "result": .object(["result": .bool(true)]),
      "txid": .string(prepared.id.hex),
      "transaction": transaction(prepared, ret: JSON?.none),
    ])
  }
}
