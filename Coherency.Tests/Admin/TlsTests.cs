using Coherency.Tests.Daemon;

namespace Coherency.Tests.Admin;

/// <summary>Of what the build leaves.</summary>
public sealed class TlsTests() : TlsScenarios(DaemonProgram.Built);

/// <summary>Administration over the network: for those alone who have a certificate that our authority signed.</summary>
public abstract class TlsScenarios : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coherency-tls-");
    private readonly TestAuthority _ours;
    private readonly TestAuthority _others;
    private readonly string _target;
    private readonly RunningDaemon _daemon;

    protected TlsScenarios(DaemonProgram program)
    {
        _ours = new TestAuthority(_folder.FullName, "ours");
        _others = new TestAuthority(_folder.FullName, "others");
        (string certificate, string key) = _ours.SignServer();
        _target = $"127.0.0.1:{FreePort.Find()}";
        _daemon = RunningDaemon.Start(program,
        [
            "serve", "--shared-dir", _folder.CreateSubdirectory("share").FullName, "--guest", $"a={_folder.FullName}/a.sock",
            "--admin-socket", $"{_folder.FullName}/admin.sock", "--admin-tls", _target,
            "--admin-certificate", certificate, "--admin-key", key, "--admin-client-ca", _ours.RootFile,
        ]);
    }

    public void Dispose()
    {
        _daemon.Dispose();
        _ours.Dispose();
        _others.Dispose();
        _folder.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void A_client_that_our_authority_signed_is_served() => Assert.Equal("OK ['a']", Ask(_ours.SignClient()));

    [Fact]
    public void A_client_without_a_certificate_is_refused() => AssertRefused(Ask(null));

    [Fact]
    public void A_client_that_another_authority_signed_is_refused() => AssertRefused(Ask(_others.SignClient()));

    [Fact]
    public void A_client_whose_certificate_has_ended_is_refused() => AssertRefused(Ask(_ours.SignClientOfYesterday()));

    [Fact]
    public void A_certificate_of_a_server_is_none_of_a_client() => AssertRefused(Ask(_ours.SignServer()));

    [Fact]
    public void Nothing_is_answered_without_encryption() =>
        Assert.StartsWith("UNAVAILABLE", Assert.Single(ForeignClient.Python(_target, "bad")), StringComparison.Ordinal);

    private static void AssertRefused(string answer) => Assert.StartsWith("UNAVAILABLE", answer, StringComparison.Ordinal);

    private string Ask((string Certificate, string Key)? pair) => Assert.Single(ForeignClient.Python(
        _target, ["tls", _ours.RootFile, .. pair is { } own ? [own.Certificate, own.Key] : Array.Empty<string>()]));
}
