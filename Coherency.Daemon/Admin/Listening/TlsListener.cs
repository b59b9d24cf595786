using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Coherency.Daemon.Configuration;

namespace Coherency.Daemon.Admin.Listening;

/// <summary>What is needed to listen on the network: only with TLS, and only for those who have a certificate.</summary>
/// <param name="Certificate">The daemon's own, with its key.</param>
/// <param name="Chain">What leads from it to its root, as far as it is known.</param>
/// <param name="ClientAuthorities">Who signs the certificates of clients.</param>
internal sealed record TlsListener(
    IPEndPoint EndPoint, X509Certificate2 Certificate, X509Certificate2Collection Chain, X509Certificate2Collection ClientAuthorities)
{
    /// <returns>Null when it was not asked for.</returns>
    /// <exception cref="UsageException">Something is missing, or cannot be used.</exception>
    public static TlsListener? Of(AdminConfiguration configuration)
    {
        (string Option, string? File)[] files =
        [
            ("--admin-certificate", configuration.Certificate), ("--admin-key", configuration.Key), (
                "--admin-client-ca", configuration.ClientCa),
        ];
        if (configuration.Tls is null)
        {
            string? idle = files.FirstOrDefault(file => file.File is not null).Option;
            return idle is null ? null : throw new UsageException($"{idle} is for --admin-tls ADDRESS:PORT, which is not given");
        }

        foreach ((string option, string? file) in files)
        {
            if (file is null)
            {
                throw new UsageException(
                    $"--admin-tls is possible only with {option}: nobody may administrate over a network without TLS and a certificate");
            }
        }

        if (!configuration.Enabled)
        {
            throw new UsageException("--admin-tls and --no-admin contradict each other: give one of them");
        }

        // With a port of 0 nobody would know where it is; without a port, IPEndPoint takes 0.
        return IPEndPoint.TryParse(configuration.Tls, out IPEndPoint? endPoint) && endPoint.Port != 0
            ? Load(endPoint, configuration.Certificate!, configuration.Key!, configuration.ClientCa!)
            : throw new UsageException($"--admin-tls {configuration.Tls}: ADDRESS:PORT is right, as 192.0.2.1:9443 or [::1]:9443");
    }

    /// <summary>May the owner of this certificate administrate? Only those whom one of our authorities has signed, as a client.</summary>
    /// <param name="sent">What came with the certificate, which may lead to the authority.</param>
    public bool IsClient(X509Certificate2 certificate, X509Chain? sent)
    {
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(ClientAuthorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.2", "TLS client"));
        if (sent is not null)
        {
            chain.ChainPolicy.ExtraStore.AddRange(sent.ChainElements.Select(element => element.Certificate).ToArray());
        }

        return chain.Build(certificate);
    }

    private static TlsListener Load(IPEndPoint endPoint, string certificate, string key, string clientCa)
    {
        X509Certificate2 own = Read(
            $"--admin-certificate {certificate} with --admin-key {key}", () => X509Certificate2.CreateFromPemFile(certificate, key));
        X509Certificate2Collection chain = Read($"--admin-certificate {certificate}", () => ReadAll(certificate));
        X509Certificate2Collection authorities = Read($"--admin-client-ca {clientCa}", () => ReadAll(clientCa));
        return authorities.Count > 0
            ? new TlsListener(endPoint, own, chain, authorities)
            : throw new UsageException($"--admin-client-ca {clientCa} holds no certificate");
    }

    private static X509Certificate2Collection ReadAll(string file)
    {
        X509Certificate2Collection certificates = [];
        certificates.ImportFromPemFile(file);
        return certificates;
    }

    private static T Read<T>(string what, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new UsageException($"{what} cannot be used: {unusable.Message}");
        }
    }
}
