using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Health.V1;
using Grpc.Reflection.V1;

namespace Coherency.Tests.Admin;

/// <summary>Clients of gRPC that nobody here wrote.</summary>
internal static class ForeignClient
{
    private static readonly string Folder = Path.Combine(Repository.Root, "Coherency.Tests", "Admin", "Clients");
    private static readonly Lazy<string> Descriptors = new(WriteDescriptors);
    private static readonly Lazy<string> NodeModules = new(InstallNodeModules);

    /// <summary>The lines that a scenario of Clients/client.py prints, by Debian's python3-grpcio.</summary>
    public static string[] Python(string target, params string[] scenario) => Lines(ChildProcess.Run(
        "/usr/bin/python3", [Path.Combine(Folder, "client.py"), Descriptors.Value, target, .. scenario]));

    /// <summary>A scenario that goes on until it is told to end.</summary>
    public static Conversation StartPython(string target, params string[] scenario) => new(
        "/usr/bin/python3", [Path.Combine(Folder, "client.py"), Descriptors.Value, target, .. scenario]);

    /// <summary>The lines that a scenario of Clients/client.js prints, by npm's @grpc/grpc-js.</summary>
    public static string[] Node(string target, string scenario) => Lines(ChildProcess.Run(
        "env", [$"NODE_PATH={NodeModules.Value}", "node", Path.Combine(Folder, "client.js"), Descriptors.Value, target, scenario]));

    /// <summary>
    /// What clients know: the administration as it was first promised, and the standard services as their packages describe them.
    /// </summary>
    private static string WriteDescriptors()
    {
        FileDescriptorSet standard = new() { File = { HealthReflection.Descriptor.ToProto(), ReflectionReflection.Descriptor.ToProto() } };
        string file = Path.Combine(Directory.CreateTempSubdirectory("coherency-descriptors-").FullName, "services.binpb");
        // Sets of descriptors are joined by writing one behind the other.
        File.WriteAllBytes(
            file, [.. File.ReadAllBytes(Path.Combine(Repository.Root, "protos", "admin.v1.binpb")), .. standard.ToByteArray()]);
        return file;
    }

    private static string[] Lines(ChildResult result)
    {
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        return result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Beside other things that can be had again; a folder for each version of the list.</summary>
    private static string InstallNodeModules()
    {
        string list = Path.Combine(Folder, "package.json");
        string version = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(list)))[..16];
        string folder = Path.Combine(Path.GetTempPath(), $"coherency-node-{version}");
        string modules = Path.Combine(folder, "node_modules");
        string complete = Path.Combine(folder, "complete");
        for (int attempt = 0; attempt < 3 && !File.Exists(complete); attempt++)
        {
            Directory.CreateDirectory(folder);
            File.Copy(list, Path.Combine(folder, "package.json"), overwrite: true);
            ChildResult install = ChildProcess.Run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder]);
            if (install.ExitCode == 0)
            {
                File.WriteAllText(complete, "");
            }
        }

        Assert.True(File.Exists(complete), $"npm could not install {list}");
        return modules;
    }
}
