local stand_ins = require "kong.spec.stand_ins"


describe("upstream-mtls: patches.balancer", function()
  local world, Kong, balancer, seen, failure

  local function load(version)
    world = stand_ins.reset({ upstream_keepalive_pool_size = 512 })
    world.kong.version = version or "3.9.3"
    world.var.upstream_host = "dogcatcher.test"
    world.ctx.service = { id = "a service", host = "dogcatcher.test", client_certificate = { id = "its own" } }
    world.ctx.balancer_data = { scheme = "https" }
    seen, failure = nil, nil
    -- Kong's own: what it names the pool by
    Kong = {
      balancer = function()
        local ctx = world.ctx
        seen = {
          id = ctx.service.client_certificate and ctx.service.client_certificate.id,
          host = ctx.service.host,
          scheme = ctx.balancer_data.scheme,
          pool_size = kong.configuration.upstream_keepalive_pool_size,
        }
        if failure then
          error(failure, 0)
        end
      end,
    }
    stand_ins.replace("kong", Kong)
    balancer = require "kong.plugins.upstream-mtls.patches.balancer"
    balancer.prepare()
  end

  before_each(function()
    load()
  end)

  local function connect(id)
    world.ctx.upstream_mtls = id and { identity = { id = id } } or nil
    return stand_ins.run(world, Kong.balancer)
  end

  it("does not change the pool of a request without an identity", function()
    assert.is_nil(connect(nil))
    assert.equal("its own", seen.id)
    assert.equal("https", seen.scheme)
  end)

  it("names the pool of a request by its identity", function()
    connect("identity one")
    assert.equal("identity one", seen.id)
    assert.equal("dogcatcher.test", seen.host)
  end)

  it("names the pools of gRPC upstreams likewise", function()
    world.ctx.balancer_data.scheme = "grpcs"
    connect("identity one")
    assert.equal("https", seen.scheme)
    assert.equal("grpcs", world.ctx.balancer_data.scheme)
  end)

  it("shows the identity to no plugin: the service is the original before and after", function()
    local service = world.ctx.service
    connect("identity one")
    assert.equal(service, world.ctx.service)
    assert.same({ id = "its own" }, service.client_certificate)
  end)

  it("shows the original service after an error, too", function()
    local service = world.ctx.service
    failure = "no peer"
    world.ctx.upstream_mtls = { identity = { id = "identity one" } }

    local ok, err = pcall(Kong.balancer)
    assert.is_false(ok)
    assert.equal("no peer", err)
    assert.equal(service, world.ctx.service)
    assert.equal("https", world.ctx.balancer_data.scheme)
  end)

  it("keeps two identities of one service apart", function()
    connect("identity one")
    local first = seen.id
    connect("identity two")
    assert.not_equal(first, seen.id)
  end)

  describe("a server name with the pool's separator", function()
    before_each(function()
      world.var.upstream_host = "dogcatcher.test|identity one"
    end)

    it("is a 400 over TLS, also without an identity", function()
      assert.equal(400, connect(nil).status)
      assert.is_nil(seen)
    end)

    it("is a 400 with an identity", function()
      world.ctx.balancer_data.scheme = "grpcs"
      assert.equal(400, connect("identity one").status)
      assert.is_nil(seen)
    end)
  end)

  describe("checks", function()
    it("prevent a connection", function()
      balancer.add_check(function()
        return false
      end)
      assert.equal(503, connect(nil).status)
      assert.is_nil(seen)
    end)

    it("must all agree", function()
      balancer.add_check(function()
        return true
      end)
      assert.is_nil(connect(nil))
      balancer.add_check(function(ctx)
        return ctx ~= world.ctx
      end)
      assert.equal(503, connect(nil).status)
    end)
  end)

  describe("on a Kong whose pool names are unknown", function()
    before_each(function()
      load("3.11.0")
    end)

    it("uses no pool for a request with an identity", function()
      connect("identity one")
      assert.equal(0, seen.pool_size)
    end)

    it("uses Kong's pools for other requests, also after an error", function()
      failure = "no peer"
      world.ctx.upstream_mtls = { identity = { id = "identity one" } }
      pcall(Kong.balancer)
      failure = nil

      connect(nil)
      assert.not_equal(0, seen.pool_size)
    end)

    it("warns", function()
      assert.equal(1, #stand_ins.texts(world, "warn"))
    end)
  end)

  it("patches once", function()
    local patched = Kong.balancer
    balancer.prepare()
    assert.equal(patched, Kong.balancer)
  end)
end)
