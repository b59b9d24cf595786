using Coherency.Tests.Admin;
using Coherency.Tests.Daemon;
using Coherency.Tests.Guest;
using Coherency.Tests.Telemetry.Otlp;

namespace Coherency.Tests.Published;

/// <summary>The command line of what people download.</summary>
[Trait("Category", "Slow")]
[Collection(PublishedTests.Name)]
public sealed class PublishedCommandLineTests(PublishedDaemon published) : CommandLineScenarios(published.Program);

/// <summary>Its telemetry.</summary>
[Trait("Category", "Slow")]
[Collection(PublishedTests.Name)]
public sealed class PublishedOtlpExportTests(PublishedDaemon published) : OtlpExportScenarios(published.Program);

/// <summary>Its file service.</summary>
[Trait("Category", "Slow")]
[Collection(PublishedTests.Name)]
public sealed class PublishedCoherencydTests(PublishedDaemon published) : CoherencydScenarios(published.Program);

/// <summary>Its administration over the network.</summary>
[Trait("Category", "Slow")]
[Collection(PublishedTests.Name)]
public sealed class PublishedTlsTests(PublishedDaemon published) : TlsScenarios(published.Program);

/// <summary>Its <c>coherencyd admin</c>.</summary>
[Trait("Category", "Slow")]
[Collection(PublishedTests.Name)]
public sealed class PublishedAdminCommandTests(PublishedAdminDaemon daemon)
    : AdminCommandScenarios(daemon), IClassFixture<PublishedAdminDaemon>;

/// <summary>Its administration, to a client that nobody here wrote.</summary>
[Trait("Category", "Slow")]
[Collection(PublishedTests.Name)]
public sealed class PublishedPythonClientTests(PublishedAdminDaemon daemon)
    : PythonClientScenarios(daemon), IClassFixture<PublishedAdminDaemon>;

/// <summary>Its administration, on a socket.</summary>
public sealed class PublishedAdminDaemon(PublishedDaemon published) : AdminDaemon(published.Program);
