using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Coherency.Tests.Admin;

/// <summary>Signs certificates, and writes them and their keys to PEM files.</summary>
internal sealed class TestAuthority : IDisposable
{
    private const string ServerPurpose = "1.3.6.1.5.5.7.3.1";
    private const string ClientPurpose = "1.3.6.1.5.5.7.3.2";

    private readonly string _folder;
    private readonly string _name;
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _root;

    public TestAuthority(string folder, string name)
    {
        _folder = folder;
        _name = name;
        CertificateRequest request = new($"CN={name}", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-2), DateTimeOffset.UtcNow.AddDays(2));
        RootFile = Path.Combine(folder, $"{name}.pem");
        File.WriteAllText(RootFile, _root.ExportCertificatePem());
    }

    public string RootFile { get; }

    public (string Certificate, string Key) SignServer() => Sign("server", ServerPurpose, DateTimeOffset.UtcNow.AddDays(1));

    public (string Certificate, string Key) SignClient() => Sign("client", ClientPurpose, DateTimeOffset.UtcNow.AddDays(1));

    public (string Certificate, string Key) SignClientOfYesterday() => Sign("expired", ClientPurpose, DateTimeOffset.UtcNow.AddHours(-1));

    public void Dispose()
    {
        _root.Dispose();
        _key.Dispose();
    }

    private (string Certificate, string Key) Sign(string name, string purpose, DateTimeOffset until)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(purpose)], false));
        using X509Certificate2 certificate = request.Create(
            _root,
            DateTimeOffset.UtcNow.AddDays(-1),
            until,
            RandomNumberGenerator.GetBytes(8));
        (string Certificate, string Key) files = (
            Path.Combine(_folder, $"{_name}-{name}.pem"), Path.Combine(_folder, $"{_name}-{name}.key"));
        File.WriteAllText(files.Certificate, certificate.ExportCertificatePem());
        File.WriteAllText(files.Key, key.ExportPkcs8PrivateKeyPem());
        return files;
    }
}
