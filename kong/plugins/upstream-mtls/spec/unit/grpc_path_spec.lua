local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: grpc_path", function()
  local world, publish

  before_each(function()
    world = stand_ins.reset()
    world.var.upstream_scheme = "grpcs"
    world.var.upstream_uri = "/stripped"
    publish = require("kong.plugins.upstream-mtls.grpc_path").publish
  end)

  local function receive(request_uri, uri)
    world.var.request_uri, world.var.uri = request_uri, uri or request_uri:match("^[^?]*")
    return publish(world.ctx)
  end

  it("is the client's path, whatever strip_path and plugins made of it", function()
    assert.is_nil(receive("/hello.HelloService/SayHello"))
    assert.equal("/hello.HelloService/SayHello", world.var.upstream_uri)
  end)

  it("is the path that a plugin has set", function()
    assert.is_nil(receive("/v1/hello", "/hello.HelloService/SayHello"))
    assert.equal("/hello.HelloService/SayHello", world.var.upstream_uri)
  end)

  it("has no query", function()
    assert.is_nil(receive("/hello.HelloService/SayHello?a=1"))
    assert.equal("/hello.HelloService/SayHello", world.var.upstream_uri)
  end)

  it("is not touched for other upstreams", function()
    world.var.upstream_scheme = "https"
    assert.is_nil(receive("/a%20b//c"))
    assert.equal("/stripped", world.var.upstream_uri)
  end)

  for _, path in ipairs({ "/a%2Fb", "/a//b", "/a/../b", "/a/./b", "/a b", "http://x/a", "/a\\b", "" }) do
    it("is unknown: " .. path, function()
      assert.is_string(receive(path))
      assert.equal("/stripped", world.var.upstream_uri)
    end)
  end

  it("is unknown when the path that a plugin has set is", function()
    assert.is_string(receive("/v1/hello", "/hello//Admin"))
  end)
end)
