using Coherency.Guest.VirtualMachines;

namespace Coherency.Tests.Vm.Libvirt;

/// <summary>A machine of libvirt's, emulated, with one directory of the host, and the agent of the tests' guests in it.</summary>
internal sealed class LibvirtDomain : IDisposable
{
    private static readonly TimeSpan BootPatience = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan CommandPatience = TimeSpan.FromMinutes(1);

    private readonly LibvirtHost _host;
    private readonly string _folder;
    private readonly string _xml;
    private readonly GuestAgentConnection _agent;

    /// <param name="binary">Names virtiofsd; null to have libvirt find it.</param>
    /// <param name="table">The file of its version table, which a device shows to the guest.</param>
    public LibvirtDomain(LibvirtHost host, string name, string folder, string share, string? binary, string? table)
    {
        (_host, Name, _folder) = (host, name, folder);
        _agent = new GuestAgentConnection(Path.Combine(folder, $"{name}.agent"));
        VirtualMachineImage image = VirtualMachineImage.Stable;
        _xml = $"""
            <domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
              <name>{name}</name>
              <memory unit='MiB'>384</memory>
              <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
              <vcpu current='1'>2</vcpu>
              <os>
                <type arch='x86_64' machine='pc'>hvm</type>
                <kernel>{image.Kernel}</kernel><initrd>{image.Initramfs}</initrd>
                <cmdline>console=ttyS0 loglevel=5 panic=0 mitigations=off no_timer_check</cmdline>
              </os>
              <features><acpi/></features>
              <cpu mode='maximum'/>
              <devices>
                <emulator>{image.Qemu}</emulator>
                <filesystem type='mount'>
                  <driver type='virtiofs'/>
                  {(binary is null ? "" : $"<binary path='{binary}'/>")}
                  <source dir='{share}'/><target dir='{SharingDaemon.Tag}'/>
                </filesystem>
                <serial type='file'><source path='{Console}'/><target port='0'/></serial>
                <serial type='unix'><source mode='connect' path='{folder}/{name}.agent'/><target port='1'/></serial>
                <memballoon model='none'/>
              </devices>
              {(table is null ? "" : TableDevice(table))}
            </domain>
            """;
    }

    public string Name { get; }

    private string Console => Path.Combine(_folder, $"{Name}.console");

    /// <summary>Has libvirt start it; returns when the guest takes commands.</summary>
    public async Task StartAsync()
    {
        string file = Path.Combine(_folder, $"{Name}.xml");
        await File.WriteAllTextAsync(file, _xml);
        await Task.Run(() => _host.Virsh("create", file));
        await WithinAsync(BootPatience, async cancellation =>
        {
            await _agent.AcceptAsync(cancellation);
            await _agent.WaitForGreetingAsync(cancellation);
            return true;
        });
    }

    /// <summary>After something that has it boot once more.</summary>
    public Task WaitForBootAsync() => WithinAsync(BootPatience, async cancellation =>
    {
        await _agent.WaitForGreetingAsync(cancellation);
        return true;
    });

    /// <summary>Runs a shell command that must succeed; returns its output without the last line's end.</summary>
    public async Task<string> ExpectAsync(string command)
    {
        CommandResult result = await WithinAsync(CommandPatience, async cancellation =>
        {
            await _agent.SendAsync(command, cancellation);
            return await _agent.ReceiveAsync(cancellation);
        });
        return result.ExitCode == 0 ? result.Text : throw new VirtualMachineException($"{Name}: `{command}`: {result.Output}");
    }

    /// <summary>Has the guest carry out a command that ends it.</summary>
    public Task SendAsync(string command) => WithinAsync(CommandPatience, async cancellation =>
    {
        await _agent.SendAsync(command, cancellation);
        return true;
    });

    public void Dispose() => _agent.Dispose();

    /// <summary>Its address is none that libvirt gives to a device.</summary>
    private static string TableDevice(string table) => $"""
        <qemu:commandline>
          <qemu:arg value='-object'/>
          <qemu:arg value='memory-backend-file,id=table,mem-path={table},size=4194304,share=on,readonly=on'/>
          <qemu:arg value='-device'/>
          <qemu:arg value='ivshmem-plain,memdev=table,addr=0x1d'/>
        </qemu:commandline>
        """;

    private async Task<T> WithinAsync<T>(TimeSpan patience, Func<CancellationToken, Task<T>> converse)
    {
        using CancellationTokenSource deadline = new(patience);
        try
        {
            return await converse(deadline.Token);
        }
        catch (Exception silent) when (silent is OperationCanceledException or IOException)
        {
            throw new VirtualMachineException($"{Name} does not answer:\n{new GuestConsole(Console).Tail}");
        }
    }
}
