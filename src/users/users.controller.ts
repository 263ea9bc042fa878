import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { ApiConsumes, ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Actor } from '../access/actor';
import { Can } from '../access/can.decorator';
import { CurrentActor } from '../access/current-actor.decorator';
import type { Page } from '../common/page.dto';
import { ApiPage } from '../http/api-page.decorator';
import { ApiTenantParam, IdParam } from '../http/id-param.decorator';
import { IfMatch } from '../http/if-match.decorator';
import { CreateUserDto, ListUsersQuery, ReadUserQuery, UpdateUserDto, UserDto } from './user.dto';
import { UsersService } from './users.service';

@Controller('v1/tenants/:tenantId/users')
@ApiTags('users')
@ApiTenantParam()
export class UsersController {
  constructor(private readonly users: UsersService) {}

  @Get()
  @Can('read', 'User')
  @ApiPage(UserDto)
  list(@CurrentActor() actor: Actor, @Query() query: ListUsersQuery): Promise<Page<UserDto>> {
    return this.users.list(actor, query);
  }

  @Post()
  @Can('invite', 'User')
  @ApiCreatedResponse({ type: UserDto })
  create(@CurrentActor() actor: Actor, @Body() input: CreateUserDto): Promise<UserDto> {
    return this.users.create(actor, input);
  }

  @Get(':userId')
  @Can('read', 'User')
  @ApiOkResponse({ type: UserDto })
  read(@CurrentActor() actor: Actor, @IdParam('userId') id: string, @Query() query: ReadUserQuery): Promise<UserDto> {
    return this.users.read(actor, id, query);
  }

  @Patch(':userId')
  @Can('update', 'User')
  @ApiConsumes('application/json', 'application/merge-patch+json')
  @ApiOkResponse({ type: UserDto })
  update(
    @CurrentActor() actor: Actor,
    @IdParam('userId') id: string,
    @IfMatch() version: number | undefined,
    @Body() input: UpdateUserDto,
  ): Promise<UserDto> {
    return this.users.update(actor, id, version, input);
  }

  @Delete(':userId')
  @Can('remove', 'User')
  @HttpCode(204)
  @ApiNoContentResponse()
  remove(
    @CurrentActor() actor: Actor,
    @IdParam('userId') id: string,
    @IfMatch() version: number | undefined,
  ): Promise<void> {
    return this.users.remove(actor, id, version);
  }
}
